"""Runs `docs/notebook.ipynb` from top to bottom and saves its outputs: `make notebook`."""

import pathlib

import nbclient
import nbformat

NOTEBOOK = pathlib.Path(__file__).with_suffix('.ipynb')


def run_notebook(path: pathlib.Path) -> nbformat.NotebookNode:
  """Runs all cells with the kernel of this environment, in the root folder of the repository.

  Args:
    path: path of the notebook, whose file is not changed.

  Returns:
    The notebook with its outputs except stderr, where notices name files of the machine.

  Raises:
    nbclient.exceptions.CellExecutionError: a cell failed.
  """
  notebook = nbformat.read(path, as_version=4)
  client = nbclient.NotebookClient(
    notebook,
    timeout=600,
    kernel_name='python3',
    record_timing=False,
    resources={'metadata': {'path': str(path.parents[1])}},
  )
  client.execute()
  for cell in notebook.cells:
    if cell.cell_type == 'code':
      cell.outputs = [output for output in cell.outputs if output.get('name') != 'stderr']
  notebook.metadata.language_info = {'name': 'python'}  # without this machine's Python version
  return notebook


if __name__ == '__main__':
  nbformat.write(run_notebook(NOTEBOOK), NOTEBOOK)
