import pytest
from absl import flags
from absl.testing import flagsaver

from vgg_slim.commands import train as _  # noqa: F401  (defines the flags)
from vgg_slim.commands.flags import unused_flags
from vgg_slim.errors import ConfigError


def check(model, *arguments, head=None):
  with flagsaver.flagsaver():
    flags.FLAGS(['test', *arguments])
    unused_flags.check(model, head)


def test_all_flags_without_effect_are_named_with_the_heads_that_have_them():
  with pytest.raises(ConfigError) as error:
    check('resnet50', '--fc_units=64', '--dropout_keep_prob=0.3')
  assert str(error.value) == (
    '--fc_units=64, --dropout_keep_prob=0.3: no effect on resnet50, whose head is linear. '
    'Leave them out, or give --head=vgg.'
  )
  with pytest.raises(ConfigError, match='^--fc_units=64: no effect on vgg16, whose head is fc256'):
    check('vgg16', '--fc_units=64', '--dropout_keep_prob=0.3', head='fc256')
  with pytest.raises(ConfigError, match='it out, or give --head=vgg or fc512_512 or fc256 or aver'):
    check('vgg16', '--dropout_keep_prob=0.3', head='average')


def test_flags_that_have_an_effect_or_ask_for_nothing_pass():
  check('vgg16', '--fc_units=64', '--dropout_keep_prob=0.3')
  check('resnet50', '--fc_units=64', '--dropout_keep_prob=0.3', head='vgg')
  # `cifar` drops inputs; its hidden layers have sizes of their own.
  check('vgg_cifar', '--dropout_keep_prob=0.3')
  check('resnet50')
  # As in recipes for VGG.
  check('resnet50', '--fc_units=4096', '--dropout_keep_prob=0.5')
  check('resnet50', '--dropout_keep_prob=1')
