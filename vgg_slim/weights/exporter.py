"""Weights out: TensorFlow checkpoint -> Keras `.weights.h5` or `.npz`, bit by bit."""

import dataclasses
import pathlib
from collections.abc import Callable

from vgg_slim.checkpoints import prefixes, search, staging
from vgg_slim.checkpoints.contract import contract_path, find_contract
from vgg_slim.configs import config
from vgg_slim.errors import CheckpointError, ConfigError
from vgg_slim.nets import specs
from vgg_slim.weights import assign, keras_h5, names, npz, slim_ckpt, to_keras, transform

SUFFIXES = ('.weights.h5', '.npz')


@dataclasses.dataclass(frozen=True)
class ExportRequest:
  """What to export.

  Attributes:
    checkpoint: prefix, or a train_dir for its newest checkpoint.
    output: file to write; its ending, one of SUFFIXES, names the format.
    model: a name of `specs.MODEL_NAMES`; by default what the contract beside the checkpoint, or
      the train_dir's config.json, says.
    trunk_only: leaves the head out.
    bgr: turns the first convolution around, for pictures whose channels come as B, G, R.
  """

  checkpoint: str
  output: str
  model: str | None = None
  trunk_only: bool = False
  bgr: bool = False


def run_export(request: ExportRequest, say: Callable[[str], None]) -> None:
  """Writes `output`, or nothing.

  Args:
    request: what and how.
    say: is given the report, for people.

  Raises:
    CheckpointError: no checkpoint, or one that cannot be read.
    WeightMismatchError: it is not of that network.
    ConfigError: an unknown ending or model, or `output` exists.
  """
  if not request.output.endswith(SUFFIXES):
    raise ConfigError(f'--output={request.output} must end in {" or ".join(SUFFIXES)}.')
  staging.check_is_free(pathlib.Path(request.output))
  prefix = search.find(request.checkpoint) or request.checkpoint
  if not prefixes.list_files(prefix):
    raise CheckpointError(f'{request.checkpoint} is no checkpoint: there are no files {prefix}*.')
  contract = find_contract(prefix)
  if not (contract or request.model):
    raise ConfigError(
      f'{prefix} has neither {contract_path(prefix).name} nor {config.CONFIG_FILE} beside it; give '
      '--model.'
    )
  spec = specs.get(request.model or contract.model)
  foreign = slim_ckpt.read(prefix)
  slots = names.link(spec, foreign)
  guess = transform.guess_sizes(spec, foreign, slots)
  trunk_only = request.trunk_only or (contract is not None and contract.num_classes is None)
  sizes = transform.Sizes(None, guess.image_size) if trunk_only else guess
  if sizes.num_classes is None and not trunk_only:
    raise CheckpointError(f'{prefix} has no head of {spec.name}; --trunk_only exports the rest.')
  shapes = sizes.shapes(spec)
  converted = transform.convert(spec, foreign, slots, shapes, transform.InputChange(request.bgr))
  report = assign.compare(spec, shapes, foreign, slots, converted, trunk_only)
  say(report.text())
  assign.check(report, spec)
  with staging.staged_file(request.output) as path:
    if request.output.endswith('.npz'):
      npz.write_weights(path, {f'{spec.scope}/{n}': a for n, a in converted.arrays.items()})
    else:
      epsilon = spec.batch_norm.epsilon if spec.batch_norm else None
      keras_h5.write_weights(path, to_keras.list_layers(spec, converted.arrays), epsilon)
