"""Exports: checkpoint -> one folder with everything a program needs to serve it, or nothing."""

import dataclasses
import pathlib
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from vgg_slim.data.labels import LABELS_FILE, write_labels
from vgg_slim.errors import ConfigError
from vgg_slim.export import frozen, onnx_model, reload, saved_model, tflite, verification
from vgg_slim.export.reload import Loaded
from vgg_slim.export.verification import Case, Comparison
from vgg_slim.weights import checkpoints, staging
from vgg_slim.weights.contract import (
  EXPORTED_FILE,
  SAVED_MODEL_EXTRAS,
  Contract,
  load_contract,
  write_contract,
)

# Other kernels sum in another order: 1e-6 to 1e-5 of the largest score after 50 layers of float32.
# A wrong mean, channel order or epsilon gives 1e-2 and more.
_FLOAT_TOLERANCE = 1e-4
# Weights and activations of 8 bits are off by up to 1/254 of their largest value, in each of 8 to
# 50 layers: 1e-2 to 6e-2 of the largest score were seen. A different network is off by 1.
_INT8_TOLERANCE = 0.15


class Format(NamedTuple):
  """How a format is written and read again.

  Attributes:
    write: (prefix, contract, empty folder) -> None.
    load: folder -> function of a batch.
    tolerance: of class scores, over the largest one.
    takes_files: whether it has preprocessing inside, and takes uint8.
    extras: folder, within the export, of contract and labels.
  """

  write: Callable[[str, Contract, pathlib.Path], None]
  load: Callable[[pathlib.Path], Loaded]
  tolerance: float
  takes_files: bool = False
  extras: str = '.'


FORMATS = {
  'saved_model': Format(
    saved_model.write, reload.load_saved_model, _FLOAT_TOLERANCE, True, SAVED_MODEL_EXTRAS
  ),
  'frozen': Format(frozen.write, reload.load_frozen, _FLOAT_TOLERANCE),
  'onnx': Format(onnx_model.write, reload.load_onnx, _FLOAT_TOLERANCE),
  'tflite': Format(tflite.write, reload.load_tflite, _FLOAT_TOLERANCE),
  'tflite_int8': Format(tflite.write_int8, reload.load_tflite, _INT8_TOLERANCE),
}


@dataclasses.dataclass(frozen=True)
class ExportRequest:
  """What to export.

  Attributes:
    checkpoint: prefix with a contract, or a train_dir for its newest checkpoint.
    format: a name of FORMATS.
    output: folder to make.
    verify_dir: folder of pictures to compare on; None for those that come with scikit-learn.
  """

  checkpoint: str
  format: str
  output: str
  verify_dir: str | None = None


def run_export(request: ExportRequest, say: Callable[[str], None]) -> Comparison:
  """Writes the folder `output`, loads it in a fresh process and compares it; or leaves nothing.

  Args:
    request: what and where.
    say: is given the steps and the comparison, for people.

  Raises:
    CheckpointError: no checkpoint, or one without contract, or of another network.
    ConfigError: an unknown format, a missing package, or `output` exists.
    DataError: a picture that cannot be read.
    ExportMismatchError: the export computes something else.
  """
  if request.format not in FORMATS:
    raise ConfigError(f'format must be one of {", ".join(FORMATS)}, got {request.format!r}.')
  kind = FORMATS[request.format]
  staging.check_is_free(pathlib.Path(request.output))
  prefix, contract = load_contract(checkpoints.find(request.checkpoint) or request.checkpoint)
  if request.verify_dir:
    encoded = verification.read_pictures(request.verify_dir)
  else:
    encoded = verification.default_pictures()
  say(f'{prefix}: {describe(contract)}.')
  with staging.staged_folder(request.output) as folder:
    kind.write(prefix, contract, folder)
    _write_extras(folder / kind.extras, contract)
    cases = _cases_of(kind, verification.run_checkpoint(prefix, contract, encoded))
    got = reload.run_in_fresh_process(kind.load, folder, [case.batch for case in cases])
    comparison = verification.compare(cases, got, kind.tolerance)
  say(f'Loaded again in a fresh process, {len(encoded)} pictures: {comparison.text()}.')
  return comparison


def describe(contract: Contract) -> str:
  """The network in a few words."""
  if contract.num_classes is None:
    return f'{contract.model}, trunk only'
  return f'{contract.model}, {contract.num_classes} classes at {contract.image_size} pixels'


def _cases_of(kind: Format, cases: list[Case]) -> list[Case]:
  """The cases that a format can be given: pixels as float32, or also as they are, and files."""
  chosen = []
  for case in cases:
    if kind.takes_files:
      chosen.append(case)
    if case.batch.dtype == np.uint8:
      chosen.append(case._replace(batch=case.batch.astype(np.float32)))
  return chosen


def _write_extras(folder: pathlib.Path, contract: Contract) -> None:
  folder.mkdir(exist_ok=True)
  write_contract(folder / EXPORTED_FILE, contract)
  if contract.class_names:
    write_labels(folder / LABELS_FILE, contract.class_names)
