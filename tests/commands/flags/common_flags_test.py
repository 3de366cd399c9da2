from absl.testing import flagsaver

from vgg_slim.commands import train
from vgg_slim.commands.flags import common_flags


def test_common_flags_come_after_those_of_the_command():
  names = [flag.name for flag in common_flags.flags_of(train)]
  assert names[0] == 'data_dir'
  assert names[-3:] == ['quiet', 'progress', 'verbose']


def test_values_are_known_before_flags_are_parsed():
  with flagsaver.flagsaver(quiet=True, verbose=False):
    assert (common_flags.is_quiet(), common_flags.is_verbose()) == (True, False)
