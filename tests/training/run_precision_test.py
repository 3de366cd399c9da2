import dataclasses

import pytest

from tests.training.memory_plan_test import config_of
from vgg_slim import processor, sessions
from vgg_slim.configs.runtime import RuntimeConfig
from vgg_slim.training import run_precision


@pytest.mark.parametrize(
  ('precision', 'flags', 'gpus', 'expected', 'said'),
  [
    ('float32', {'avx2'}, 0, 'float32', None),
    ('float16', {'avx2'}, 1, 'float16', None),
    ('bfloat16', {'avx2'}, 0, 'float32', 'the run is computed in float32.'),
    ('bfloat16', {'avx2', 'avx512f'}, 0, 'bfloat16', 'slow: try --precision=float32.'),
    ('bfloat16', {'avx2', 'avx512f', 'avx512_bf16'}, 0, 'bfloat16', None),
    ('bfloat16', {'avx2', 'avx512f'}, 1, 'bfloat16', None),
  ],
)
def test_a_run_has_the_precision_of_its_machine(
  monkeypatch, precision, flags, gpus, expected, said
):
  monkeypatch.setattr(processor, 'flags', lambda *_: frozenset(flags))
  monkeypatch.setattr(sessions, 'num_gpus', lambda: gpus)
  lines = []
  config = dataclasses.replace(config_of(), runtime=RuntimeConfig(precision, num_threads=3))
  settled = run_precision.settle(config, lines.append)
  assert settled == dataclasses.replace(config, runtime=RuntimeConfig(expected, num_threads=3))
  assert len(lines) == bool(said)
  assert all(line.endswith(said) for line in lines)
