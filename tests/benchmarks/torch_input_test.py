import importlib.util
import os
import subprocess
import sys

import pytest

from tests.testing import make_data_set

# Runs in its own process: torchvision does not start where TensorFlow has been loaded.
PROGRAM = """
import sys
from benchmarks import torch_input
from vgg_slim.benchmarks.workload import Workload
step = torch_input.build_step(
  Workload('input', 'vgg_a@4', 2, 32, 2, threads=1, data_dir=sys.argv[1])
)
for _ in range(20):
  images, labels = step()
  print(*images.shape, images.dtype, *labels.shape, bool(-256 < images.min() < images.max() < 256))
assert 'tensorflow' not in sys.modules
"""


def test_batches_are_crops_without_end(tmp_path):
  if importlib.util.find_spec('torchvision') is None:
    pytest.skip('torchvision is not installed')
  data_dir, _ = make_data_set(tmp_path / 'data')
  run = subprocess.run(
    [sys.executable, '-c', PROGRAM, data_dir],
    env={**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, sys.path))},
    capture_output=True,
    text=True,
    timeout=300,
  )
  assert run.returncode == 0, run.stderr
  assert run.stdout.splitlines() == ['2 3 32 32 torch.float32 2 True'] * 20
