import pytest

from vgg_slim.errors import ConfigError
from vgg_slim.evaluation.eval_config import EvalConfig


def test_the_papers_protocol_is_the_default():
  config = EvalConfig([256, 384, 512])
  assert (config.test_scales, config.views) == ((256, 384, 512), ('dense',))
  assert (config.flip, config.average) == (True, 'probabilities')


def test_a_batch_may_hold_a_single_crop():
  assert EvalConfig([256], batch_size=1).batch_size == 1


@pytest.mark.parametrize(
  ('values', 'message'),
  [
    ({'views': ('dens',)}, "views=dens: .*not 'dens' [(]did you mean dense[?][)]"),
    ({'pool_rounding': 'round'}, r"pool_rounding must be one of \('floor', 'ceil'\), got 'round'"),
    (
      {'average': 'mean', 'batch_size': 0, 'views': ()},
      'average must be one of .*; batch_size must be .*; views=: expected one or more',
    ),
  ],
)
def test_invalid_values_are_refused(values, message):
  with pytest.raises(ConfigError, match=message):
    EvalConfig([32], **values)
