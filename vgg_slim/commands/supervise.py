"""Keeps a command running until it is done: starts it again when it, or another worker, is lost.

  tools/supervise --num_workers=2 -- tools/train --train_dir=runs/photos --data_dir=data/photos
  TF_CONFIG=... tools/supervise -- tools/train --train_dir=/shared/photos ...

Training of several workers cannot go on without one of them, nor take it in again: all end, and all
start again from the newest checkpoint, as often as it takes. With --num_workers the workers are
processes of this machine; without, the one process is what TF_CONFIG says it is, and each machine
runs this command. See docs/distributed.md.

A command that ends with code 1 or 2 has said what a person has to mend, and is not started again.
SIGINT, SIGTERM and a hang-up are passed on: tools/train saves a checkpoint and stops. A second one
kills. Workers also stop when this command is killed.
"""

import sys

from absl import flags

from vgg_slim.commands import invocation
from vgg_slim.errors import ConfigError
from vgg_slim.training.supervisor import Supervisor

_NUM_WORKERS = flags.DEFINE_integer(
  'num_workers', 1, 'Processes to start on this machine, as workers of one run.'
)


def main(command: list[str]) -> None:
  """Runs `command` under supervision and exits with its code."""
  if not command:
    raise ConfigError('no command: it follows --, as in tools/supervise -- tools/train.')
  if any(argument.lstrip('-').startswith('overwrite') for argument in command):
    raise ConfigError(
      '--overwrite would remove the run at each start: give it to tools/train once.'
    )
  if _NUM_WORKERS.value < 1:
    raise ConfigError(f'--num_workers must be at least 1, got {_NUM_WORKERS.value}.')
  sys.exit(Supervisor(command, _NUM_WORKERS.value, _report).run())


def _report(line: str) -> None:
  print(f'supervise: {line}', file=sys.stderr, flush=True)


def run() -> None:
  """The console command."""
  invocation.run(main, takes_command=True)


if __name__ == '__main__':
  run()
