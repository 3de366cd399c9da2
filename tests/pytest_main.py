"""The main file of every test target: runs pytest in the way that Bazel expects."""

import os
import pathlib
import sys

import pytest


class _SkippedFiles:
  """Records whether a whole file was skipped because an optional package is missing."""

  seen = False

  def pytest_collectreport(self, report):
    self.seen = self.seen or report.skipped


class _Shard:
  """Selects the tests of one shard; Bazel starts one process per shard."""

  def __init__(self, index, total):
    self._index = index
    self._total = total

  def pytest_collection_modifyitems(self, config, items):
    dropped = [item for i, item in enumerate(items) if i % self._total != self._index]
    items[:] = items[self._index :: self._total]
    config.hook.pytest_deselected(items=dropped)


def main(argv):
  env = os.environ
  args = ['-p', 'no:cacheprovider', *argv]
  if 'TEST_TMPDIR' in env:
    env.setdefault('HOME', env['TEST_TMPDIR'])  # Bazel 4 sets none, but matplotlib needs one
    args.append('--basetemp=' + os.path.join(env['TEST_TMPDIR'], 'pytest'))
  if 'XML_OUTPUT_FILE' in env:
    args.append('--junitxml=' + env['XML_OUTPUT_FILE'])
  if 'TESTBRIDGE_TEST_ONLY' in env:
    args.extend(['-k', env['TESTBRIDGE_TEST_ONLY']])
  skipped = _SkippedFiles()
  plugins = [skipped]
  sharded = 'TEST_TOTAL_SHARDS' in env
  if sharded:
    pathlib.Path(env['TEST_SHARD_STATUS_FILE']).touch()
    plugins.append(_Shard(int(env['TEST_SHARD_INDEX']), int(env['TEST_TOTAL_SHARDS'])))
  code = pytest.main(args, plugins)
  may_be_empty = sharded or skipped.seen
  return 0 if code == pytest.ExitCode.NO_TESTS_COLLECTED and may_be_empty else int(code)


if __name__ == '__main__':
  sys.exit(main(sys.argv[1:]))
