import importlib
import sys

from absl import flags

from tests.testing import own_flags
from vgg_slim.commands import flag_owners, installation
from vgg_slim.commands import train as _  # noqa: F401  (defines the flags of a command that runs)
from vgg_slim.commands.flags import common_flags


def test_flags_are_those_of_each_command_and_nothing_else_changes():
  before = {name: id(flags.FLAGS[name]) for name in flags.FLAGS}
  modules = {name: id(module) for name, module in sys.modules.items() if 'vgg_slim.com' in name}
  found = flag_owners.load('train')
  assert {name: id(flags.FLAGS[name]) for name in flags.FLAGS} == before
  assert {n: id(module) for n, module in sys.modules.items() if 'vgg_slim.com' in n} == modules
  assert not flags.FLAGS['batch_size'].allow_override
  assert found.keys() == installation.commands().keys() - {'train'}
  for name, own in found.items():
    with own_flags():
      module = importlib.import_module(f'vgg_slim.commands.{name}')
      assert own == {flag.name for flag in common_flags.own_flags_of(module)}
