import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from tests.export.fabricated import make_checkpoint, random_images
from vgg_slim.compat import tf
from vgg_slim.errors import VggSlimError
from vgg_slim.export import exporter, frozen, reload
from vgg_slim.export.fresh_process import run_in_fresh_process

# A script as beginners write it, with everything at the top level.
SCRIPT = """
from vgg_slim.export import exporter

print('start')
exporter.run_export(exporter.ExportRequest({checkpoint!r}, 'frozen', {output!r}), print)
"""


def test_every_batch_is_run(tmp_path):
  with tf.Graph().as_default() as graph:
    images = tf.placeholder(tf.float32, [None, None, None, 3], 'images')
    tf.reduce_mean(images, [1, 2], name='logits')
    (tmp_path / frozen.FILE).write_bytes(graph.as_graph_def().SerializeToString())
  batches = [random_images(1, 2, 3).astype('f'), random_images(2, 4, 4).astype('f')]
  got = run_in_fresh_process(reload.load_frozen, tmp_path, batches)
  for outputs, batch in zip(got, batches, strict=True):
    np.testing.assert_allclose(outputs['logits'], batch.mean((1, 2)), rtol=1e-6)


def test_an_export_that_cannot_be_loaded_is_reported_in_one_line(tmp_path):
  (tmp_path / frozen.FILE).write_bytes(b'not a graph')
  with pytest.raises(VggSlimError, match='The export does not run after reloading: .*pars'):
    run_in_fresh_process(reload.load_frozen, tmp_path, [])


def read_visible_gpus(folder):
  return lambda batch: {'gpus': np.array(os.environ['CUDA_VISIBLE_DEVICES'])}


def test_the_export_runs_on_the_cpu(tmp_path):
  # The process that exports may hold all of the memory of a GPU.
  assert run_in_fresh_process(read_visible_gpus, tmp_path, [0]) == [{'gpus': '-1'}]


def kill_process(folder):
  os.kill(os.getpid(), signal.SIGKILL)


def terminate_process(folder):
  os.kill(os.getpid(), signal.SIGTERM)


def exit_with_message(folder):
  sys.exit('no such library')


@pytest.mark.parametrize(
  ('load', 'message'),
  [
    (kill_process, r'was killed \(SIGKILL\); the machine may have run out of memory'),
    (terminate_process, 'was ended by SIGTERM'),
    (exit_with_message, 'ended with exit code 1: no such library'),
  ],
)
def test_the_end_of_a_dead_process_is_described(tmp_path, load, message):
  with pytest.raises(VggSlimError, match=message):
    run_in_fresh_process(load, tmp_path, [])


def test_a_script_without_a_main_guard_exports(tmp_path):
  assert exporter.__name__.rpartition('.')[2] in SCRIPT  # imported here so that Bazel provides it
  prefix, _ = make_checkpoint(tmp_path)
  script = tmp_path / 'export.py'
  script.write_text(SCRIPT.format(checkpoint=prefix, output=str(tmp_path / 'out')))
  done = subprocess.run(
    [sys.executable, str(script)],
    env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)},
    capture_output=True,
    text=True,
    timeout=300,
  )
  assert done.returncode == 0, done.stderr
  assert done.stdout.count('start') == 1
  assert (tmp_path / 'out' / frozen.FILE).is_file()
