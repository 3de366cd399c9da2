import pytest

from vgg_slim.configs.fine_tune import FineTuneConfig
from vgg_slim.errors import ConfigError


def test_fine_tune_flags_without_a_checkpoint_are_named():
  with pytest.raises(
    ConfigError, match='new_head, ignore_missing_vars: of no use without checkpoint'
  ):
    FineTuneConfig(new_head=True, ignore_missing_vars=True)
