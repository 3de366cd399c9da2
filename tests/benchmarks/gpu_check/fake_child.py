"""Rows that end in each possible way, in place of `benchmarks.gpu_check.child`."""

import json
import os
import pathlib
import sys
import time

name, size, folder = sys.argv[1:]
if name == 'hangs':
  # With a child of its own, whose number the test reads.
  if sleeper := os.fork():
    pathlib.Path(folder, 'sleeper').write_text(str(sleeper))
  time.sleep(600)
if name == 'crashes':
  os.abort()
if name == 'exits':
  sys.exit('no such driver')
status = {'fails': 'failed', 'cannot': 'not possible here'}.get(name, 'ok')
values = {'size': size, 'variable': os.environ.get('OF_THE_ROW')}
reply = {'status': status, 'where': 'CPU', 'reason': f'{name}.', 'values': values}
pathlib.Path(folder, f'{name}.json').write_text(json.dumps(reply))
