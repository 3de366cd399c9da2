import logging

import pytest
from absl.testing import flagsaver

from tests.testing import own_flags
from vgg_slim import processor, sessions
from vgg_slim.commands.flags import precision_flag


@pytest.fixture
def defined():
  with own_flags():
    precision_flag.define()
    yield


@pytest.mark.parametrize(
  ('precision', 'flags', 'words'),
  [
    ('bfloat16', 'avx2', 'everything is computed in float32, with weights that are rounded'),
    ('bfloat16', 'avx512f', 'TensorFlow imitates them, which is slow'),
    ('bfloat16', 'avx512f amx_bf16', ''),
    ('auto', 'avx2', ''),
    ('float32', 'avx2', ''),
  ],
)
def test_a_precision_that_gains_nothing_is_a_warning(
  defined, monkeypatch, caplog, precision, flags, words
):
  monkeypatch.setattr(processor, 'flags', lambda *_: frozenset(flags.split()))
  monkeypatch.setattr(sessions, 'num_gpus', lambda: 0)
  with caplog.at_level(logging.WARNING, 'vgg_slim'), flagsaver.flagsaver(precision=precision):
    precision_flag.warn()
  assert words in caplog.text
  assert bool(caplog.text) == bool(words)
