"""Exports weights: TensorFlow checkpoint -> Keras `.weights.h5` or `.npz`, bit for bit."""

import pathlib
from collections.abc import Callable

from vgg_slim.checkpoints import prefixes, search, staging
from vgg_slim.checkpoints.contract import contract_path, find_contract
from vgg_slim.configs import config
from vgg_slim.errors import CheckpointError, ConfigError
from vgg_slim.nets import specs
from vgg_slim.weights import assign, keras_h5, names, npz, slim_ckpt, to_keras, transform
from vgg_slim.weights.export_request import ExportRequest


def run_export(request: ExportRequest, say: Callable[[str], None]) -> None:
  """Writes `output` completely, or raises and writes nothing.

  Args:
    request: checkpoint to export, with format and output file.
    say: function called with the report as text.

  Raises:
    CheckpointError: there is no checkpoint, or it cannot be read.
    WeightMismatchError: the checkpoint does not fit the model.
    ConfigError: --model is missing, or `output` exists.
  """
  staging.check_is_free(pathlib.Path(request.output))
  prefix = search.find(request.checkpoint) or request.checkpoint
  if not prefixes.list_files(prefix):
    raise CheckpointError(
      f'{request.checkpoint} is not a checkpoint: there are no files {prefix}*.'
    )
  contract = find_contract(prefix)
  model = contract.network.model if contract and not request.model else request.model
  if model is None:
    raise ConfigError(
      f'{prefix} has neither {contract_path(prefix).name} nor {config.CONFIG_FILE} beside it; give '
      '--model.'
    )
  spec = specs.get(model)
  foreign = slim_ckpt.read(prefix)
  slots = names.link(spec, foreign)
  guess = transform.guess_sizes(spec, foreign, slots)
  trunk_only = request.trunk_only or (contract is not None and contract.network.is_trunk)
  sizes = transform.Sizes(None, guess.image_size) if trunk_only else guess
  if sizes.num_classes is None and not trunk_only:
    raise CheckpointError(
      f'{prefix} does not hold the head of {spec.name}; --trunk_only exports the other layers.'
    )
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
