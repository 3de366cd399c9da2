"""The notebook runs from the first cell to the last; its cells assert their claims."""

import importlib.util
import json
import pathlib
import re

import nbformat

ROOT = pathlib.Path(__file__).parents[1]
NOTEBOOK = ROOT / 'docs/notebook.ipynb'


def load_runner():
  spec = importlib.util.spec_from_file_location('notebook', ROOT / 'docs/notebook.py')
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module


def text_of(notebook):
  outputs = [o for cell in notebook.cells if cell.cell_type == 'code' for o in cell.outputs]
  return '\n'.join(output.get('text', '') for output in outputs)


def test_it_learns_and_reads_a_strip():
  notebook = load_runner().run_notebook(NOTEBOOK)
  code = [cell for cell in notebook.cells if cell.cell_type == 'code']
  assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
  shown = text_of(notebook)
  assert float(re.search(r'([\d.]+)% of 357 digits', shown)[1]) > 90  # 93.6 measured; 10 by chance
  # 2x2 windows over a 2x17 map of 4-pixel cells.
  assert 'image (8, 68) -> score map (1, 16, 10)' in shown
  assert sum('image/png' in output.get('data', {}) for c in code for output in c.outputs) == 4


def test_the_stored_notebook_was_run_completely_and_names_no_machine():
  notebook = nbformat.read(NOTEBOOK, as_version=4)
  code = [cell for cell in notebook.cells if cell.cell_type == 'code']
  assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
  assert {output.output_type for cell in code for output in cell.outputs} <= {
    'display_data',
    'execute_result',
    'stream',
  }
  assert not re.search('site-packages', json.dumps(notebook))
