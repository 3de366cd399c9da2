import pytest

from vgg_slim import processor
from vgg_slim.ops import conv_thresholds


@pytest.fixture(autouse=True)
def fresh():
  conv_thresholds.current.cache_clear()
  yield
  conv_thresholds.current.cache_clear()


def test_every_kind_of_processor_has_a_row():
  assert tuple(conv_thresholds.BY_KIND) == processor.KINDS


@pytest.mark.parametrize('kind', [*processor.KINDS, None])
def test_the_thresholds_are_those_of_this_processor(monkeypatch, kind):
  monkeypatch.setattr(processor, 'kind', lambda: kind)
  expected = conv_thresholds.BY_KIND[kind or 'avx512']
  assert conv_thresholds.current() is expected
  assert conv_thresholds.BY_KIND['avx2'] != conv_thresholds.BY_KIND['avx512']
