"""A command that waits to be interrupted; `invocation_test` starts it."""

import time

from vgg_slim.commands import invocation


def main():
  """Says that it runs, and sleeps for a minute."""
  print('ready', flush=True)
  time.sleep(60)


if __name__ == '__main__':
  invocation.run(main)
