import json

from benchmarks.gpu_check import report, rows
from benchmarks.gpu_check.rows import Outcome
from vgg_slim.benchmarks.machine import Machine
from vgg_slim.processor import Activity

DEVICE = Outcome('device', 'sees a GPU', rows.OK, 'GPU', '1: A Card', 2.0, {'gpus': ['A Card']})
WRONG = Outcome('float32', 'two steps', rows.FAILED, 'CPU', 'off by 2', 3.4, {'gradient_error': 2})
SILENT = Outcome('onnx', 'an export', rows.NOT_POSSIBLE, '', '', 0.0)


def test_cells_and_summary():
  assert report.cells(DEVICE) == ['device', 'ok', 'the GPU', '2', '1: A Card']
  assert report.cells(WRONG) == ['float32', 'failed', 'the CPU', '3', 'off by 2']
  assert report.cells(SILENT) == ['onnx', 'not possible here', '', '0', 'an export']
  assert len(report.HEADINGS) == 5
  assert report.summary([DEVICE, WRONG, SILENT]) == (
    '1 ok, 1 failed, 1 not possible here; on a GPU.'
  )
  assert report.summary([WRONG]).endswith('on the CPU: this run says nothing about a GPU.')


def test_the_file_holds_everything(tmp_path):
  path = tmp_path / 'new' / 'check.json'
  unknown = Activity(None, None, None)
  report.write(path, [DEVICE, WRONG], 'full', Machine('cpu', 1, (), unknown, unknown), 12.34)
  values = json.loads(path.read_text())
  assert (values['format'], values['size'], values['seconds']) == (1, 'full', 12.3)
  assert values['device'] == {'gpus': ['A Card']}
  assert values['machine']['processor'] == 'cpu'
  assert values['rows'][1] == {
    'name': 'float32',
    'about': 'two steps',
    'status': 'failed',
    'where': 'CPU',
    'reason': 'off by 2',
    'seconds': 3.4,
    'values': {'gradient_error': 2},
  }
