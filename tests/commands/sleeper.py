"""A command that waits to be interrupted; `invocation_test` starts it."""

import time

from vgg_slim.commands import invocation


def main():
  """Says that it runs, sleeps for a minute, and takes a second to end."""
  try:
    print('ready', flush=True)
    time.sleep(60)
  finally:
    time.sleep(1.2)
    print('removed', flush=True)


if __name__ == '__main__':
  invocation.run(main)
