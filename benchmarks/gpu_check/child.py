"""A process that runs one row of the check.

    python -m benchmarks.gpu_check.child ROW SIZE FOLDER

The answer is FOLDER/ROW.json: the status, where the row ran, a reason and the values.
"""

import importlib
import json
import pathlib
import sys
from typing import Any

from benchmarks.gpu_check import rows
from benchmarks.gpu_check.settings import Check
from vgg_slim import errors

_LONGEST_REASON = 500  # characters


def answer(row: rows.Row, check: Check) -> dict[str, Any]:
  """Runs a row in this process; every error becomes an answer."""
  reply: dict[str, Any] = {'status': rows.OK, 'where': '', 'reason': '', 'values': {}}
  try:
    module, _, function = row.function.partition(':')
    values = dict(getattr(importlib.import_module(module), function)(check))
    reply |= {key: values.pop(key) for key in ('where', 'reason') if key in values}
    reply['values'] = values
  except rows.NotPossibleError as error:
    reply |= {'status': rows.NOT_POSSIBLE, 'reason': errors.reason(error, _LONGEST_REASON)}
  # Whatever goes wrong on a machine that nobody has seen is a result of the check.
  except Exception as error:
    text = errors.reason(error, _LONGEST_REASON)
    known = isinstance(error, rows.WrongResultError | errors.VggSlimError)
    reply |= {
      'status': rows.FAILED,
      'reason': text if known else f'{type(error).__name__}: {text}',
    }
  return reply


def main(name: str, size: str, folder: str) -> None:
  """Runs the row `name` and writes its answer."""
  reply = answer(rows.BY_NAME[name], Check(size, pathlib.Path(folder)))
  pathlib.Path(folder, f'{name}.json').write_text(json.dumps(reply), encoding='utf-8')


if __name__ == '__main__':
  main(*sys.argv[1:])
