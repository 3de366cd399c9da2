import pytest

from vgg_slim.configs.fine_tune import FineTuneConfig
from vgg_slim.errors import ConfigError


def test_flags_that_need_a_checkpoint_are_named():
  with pytest.raises(
    ConfigError, match='new_head, ignore_missing_vars: no effect without checkpoint'
  ):
    FineTuneConfig(new_head=True, ignore_missing_vars=True)
