"""Keeps a command running until it succeeds: restarts it when it, or another worker, is lost.

  tools/supervise --num_workers=2 -- tools/train --train_dir=runs/photos --data_dir=data/photos
  TF_CONFIG=... tools/supervise -- tools/train --train_dir=/shared/photos ...

Training on several workers cannot continue without one of them, nor let it join again: all of them
end, and all are restarted from the newest checkpoint, as often as necessary. With --num_workers,
the workers are processes on this machine. Without it, there is one process, whose role TF_CONFIG
defines, and each machine runs this command. See docs/distributed.md.

A command that exits with 1 or 2 has reported something that a person has to fix and is not
restarted. SIGINT, SIGTERM and SIGHUP are passed on, upon which tools/train saves a checkpoint and
stops. A second one kills. Workers also stop when this command is killed.
"""

import sys

from absl import flags

from vgg_slim.commands import invocation
from vgg_slim.constants import MOST_WORKERS
from vgg_slim.errors import ConfigError
from vgg_slim.training import private_network
from vgg_slim.training.supervisor import Supervisor

_NUM_WORKERS = flags.DEFINE_integer(
  'num_workers', 1, 'Number of processes to start on this machine, as workers of one run.'
)
_PRIVATE_NETWORK = flags.DEFINE_bool(
  'private_network',
  True,
  'Give several workers on this machine a network of their own, since TensorFlow opens their ports '
  'to everybody who reaches the machine. They then reach no other machine either: a command that '
  'downloads weights needs --noprivate_network, or the weights as a file.',
)


def main(command: list[str]) -> None:
  """Runs `command` under supervision and exits with its exit code."""
  if not command:
    raise ConfigError('Give a command after --, as in tools/supervise -- tools/train.')
  if any(argument.lstrip('-').startswith('overwrite') for argument in command):
    raise ConfigError(
      '--overwrite would remove the run at every restart; run tools/train --overwrite once instead.'
    )
  if not 1 <= _NUM_WORKERS.value <= MOST_WORKERS:
    raise ConfigError(f'--num_workers must be in [1, {MOST_WORKERS}], got {_NUM_WORKERS.value}.')
  if _NUM_WORKERS.value > 1 and _PRIVATE_NETWORK.value:
    reason = private_network.enter()
    if reason:
      _report(f'other machines can reach the ports of the workers ({reason}); see SECURITY.md.')
  sys.exit(Supervisor(command, _NUM_WORKERS.value, _report).run())


def _report(line: str) -> None:
  print(f'supervise: {line}', file=sys.stderr, flush=True)


def run() -> None:
  """Entry point of the console command."""
  invocation.run(main, takes_command=True)


if __name__ == '__main__':
  run()
