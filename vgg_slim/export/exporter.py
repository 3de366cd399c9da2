"""Exports a checkpoint to one folder with everything that a program needs to serve it."""

import io
import pathlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from vgg_slim.checkpoints import exported, search, staging
from vgg_slim.checkpoints.contract import SAVED_MODEL_EXTRAS, Contract, load_contract
from vgg_slim.data.labels import LABELS_FILE, write_labels
from vgg_slim.export import (
  frozen,
  onnx_model,
  reload,
  samples,
  saved_model,
  serving_graph,
  tflite,
  verification,
)
from vgg_slim.export.fresh_process import Loader, run_in_fresh_process
from vgg_slim.export.request import ExportRequest
from vgg_slim.export.verification import Case, Comparison
from vgg_slim.files import naming
from vgg_slim.reporting import Reporter
from vgg_slim.wording import counted

# Kernels of other runtimes sum in a different order, which gives differences of 1e-6 to 1e-5 of the
# largest score after 50 layers of float32. A wrong mean, channel order or epsilon gives at least
# 1e-2.
_FLOAT_TOLERANCE = 1e-4
# Weights and activations of 8 bits are off by up to 1/254 of their largest value in each of 8 to 50
# layers; 1e-2 to 6e-2 of the largest score were measured. A different network is off by 1.
_INT8_TOLERANCE = 0.15
_MAX_COMPARED = 16  # images, each scored in several cases
_MAX_CALIBRATED = 100  # images


class Format(NamedTuple):
  """How a format is written and loaded.

  Attributes:
    write: function of prefix, contract, an empty folder and the options below; writes the export.
    load: function from the folder of an export to a function that maps a batch to its outputs.
    files: patterns of the files that the model consists of.
    tolerance: largest allowed difference of a class score, relative to the largest class score.
    takes_files: whether the model includes all preprocessing, and also takes files and uint8.
    extras: path of the folder of contract and labels, relative to the export.
    list_outputs: function of a contract and whether the shape is fixed; returns the names of the
      model's outputs.
  """

  write: Callable[..., None]
  load: Loader
  files: Sequence[str]
  tolerance: float
  takes_files: bool = False
  extras: str = '.'
  list_outputs: Callable[[Contract, bool], Sequence[str]] = lambda contract, is_fixed: (
    serving_graph.list_outputs(contract)
  )


_TFLITE = Format(
  tflite.write,
  reload.load_tflite,
  (tflite.FILE,),
  _FLOAT_TOLERANCE,
  list_outputs=tflite.list_outputs,
)
FORMATS = {
  'saved_model': Format(
    saved_model.write,
    reload.load_saved_model,
    exported.SAVED_MODEL_FILES,
    _FLOAT_TOLERANCE,
    True,
    SAVED_MODEL_EXTRAS,
  ),
  'frozen': Format(frozen.write, reload.load_frozen, (frozen.FILE,), _FLOAT_TOLERANCE),
  'onnx': Format(onnx_model.write, reload.load_onnx, exported.ONNX_FILES, _FLOAT_TOLERANCE),
  'tflite': _TFLITE,
  'tflite_dynamic': _TFLITE._replace(write=tflite.write_dynamic, tolerance=_INT8_TOLERANCE),
  'tflite_int8': _TFLITE._replace(write=tflite.write_int8, tolerance=_INT8_TOLERANCE),
}


def run_export(
  request: ExportRequest, say: Callable[[str], None], reporter: Reporter | None = None
) -> Comparison:
  """Writes the folder `output`, loads it in a fresh process and compares it with the checkpoint.

  Nothing is left of the export after an error.

  Args:
    request: checkpoint to export, with format and output folder.
    say: function called with the steps and the comparison, as text.
    reporter: receiver of what happens now; None for no one.

  Raises:
    CheckpointError: there is no checkpoint, it has no contract, or it does not fit the network.
    ConfigError: a package is missing, or `output` exists.
    DataError: an image cannot be read.
    ExportMismatchError: the export does not compute the same as the checkpoint.
  """
  kind, reporter = FORMATS[request.format], reporter or Reporter(io.StringIO())
  staging.check_is_free(pathlib.Path(request.output))
  prefix, contract = load_contract(search.find(request.checkpoint) or request.checkpoint)
  if request.verify_dir:
    files = samples.read_images(request.verify_dir, _MAX_COMPARED)
  else:
    files = samples.default_images()
  say(f'{prefix}: {describe(contract)}.')
  with staging.staged_folder(request.output) as folder:
    options = _options(request, contract, say)
    reporter.phase('writing', f'Building the network and writing it as {request.format}')
    with naming(folder):
      kind.write(prefix, contract, folder, **options)
      exported.write(folder, kind.files, contract, kind.extras)
      if contract.class_names:
        write_labels(folder / kind.extras / LABELS_FILE, contract.class_names)
    reporter.phase('scoring', f'Scoring {counted(len(files), "image")} with the checkpoint')
    is_fixed = request.options.is_fixed(request.input_shape)
    cases = _cases_of(request, verification.run_on_pixels(prefix, contract, files))
    cases = _keep_outputs(cases, kind.list_outputs(contract, is_fixed))
    if kind.takes_files:
      cases += verification.run_on_files(prefix, contract, files)
    reporter.phase('verifying', 'Loading the export in a fresh process and comparing its scores')
    outputs = run_in_fresh_process(kind.load, folder, [case.batch for case in cases])
    comparison = verification.compare(cases, outputs, kind.tolerance)
  ways = ', each scored in several ways' if comparison.answers > len(files) else ''
  say(
    'Reloaded in a fresh process and compared with the checkpoint on '
    f'{counted(len(files), "image")}{ways}: {comparison.text()}.'
  )
  return comparison


def _options(
  request: ExportRequest, contract: Contract, say: Callable[[str], None]
) -> dict[str, Any]:
  options: dict[str, Any] = {}
  if request.options.takes_shape:
    options['is_fixed'] = request.options.is_fixed(request.input_shape)
  if request.representative_dir:
    files = samples.read_images(request.representative_dir, _MAX_CALIBRATED)
    options['calibration'] = samples.prepare_crops(contract, files.values())
    say(f'Calibrating on {counted(len(files), "image")} from {request.representative_dir}.')
  return options


def describe(contract: Contract) -> str:
  """Describes the network in a few words."""
  network = contract.network
  if network.is_trunk:
    return f'{network.model}, trunk only'
  return f'{network.model}, {network.num_classes} classes at {network.image_size} pixels'


def _cases_of(request: ExportRequest, cases: list[Case]) -> list[Case]:
  """Selects the cases that the export can run, and converts them to float32, uint8 or both."""
  if request.options.is_fixed(request.input_shape):
    cases = [case for case in cases if case.is_crop]
  as_float = [case._replace(batch=case.batch.astype(np.float32)) for case in cases]
  if request.options.is_calibrated:
    return cases
  return cases + as_float if FORMATS[request.format].takes_files else as_float


def _keep_outputs(cases: list[Case], names: Sequence[str]) -> list[Case]:
  return [case._replace(expected={name: case.expected[name] for name in names}) for case in cases]
