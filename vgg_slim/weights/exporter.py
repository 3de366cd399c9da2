"""Exports weights, bit for bit: TensorFlow checkpoint -> file of Keras, torch, slim or NumPy."""

import logging
import shlex
from collections.abc import Callable

import numpy as np

from vgg_slim import files
from vgg_slim.checkpoints import prefixes, search, staging
from vgg_slim.checkpoints.contract import contract_path, find_contract
from vgg_slim.configs import config
from vgg_slim.configs.net import Network
from vgg_slim.errors import CheckpointError, ConfigError, WeightMismatchError
from vgg_slim.nets import specs
from vgg_slim.weights import (
  assign,
  export_request,
  formats,
  frameworks,
  keras_h5,
  keras_net,
  linking,
  network_run,
  npz,
  probe,
  recognition,
  slim_ckpt,
  to_keras,
  to_torch,
  torch_state,
  transform,
  verdict,
)
from vgg_slim.weights.export_request import ExportRequest
from vgg_slim.weights.foreign import ForeignWeights
from vgg_slim.weights.linking import Link
from vgg_slim.weights.recognition import Wishes

_logger = logging.getLogger(__name__)


def run_export(request: ExportRequest, say: Callable[[str], None]) -> None:
  """Writes `output` completely, or raises and writes nothing.

  The written file is then run in its own framework, if that is installed.

  Args:
    request: checkpoint to export, with format and output file.
    say: function called with the report and the comparison as text.

  Raises:
    CheckpointError: there is no checkpoint, or it cannot be read.
    WeightMismatchError: the checkpoint does not fit the model, or the written file computes
      something else.
    ConfigError: --model is missing, `output` exists, or its format cannot hold the network.
  """
  export_request.check_output(request.output)
  prefix = search.find(request.checkpoint) or request.checkpoint
  if not prefixes.list_files(prefix):
    raise CheckpointError(
      f'{request.checkpoint} is not a checkpoint: there are no files {prefix}*.'
    )
  foreign = slim_ckpt.read(prefix)
  network, link = _recognize(request, prefix, foreign)
  spec = specs.get(network.model)
  change = transform.InputChange(request.bgr)
  own = transform.convert(network, foreign, link.slots, transform.InputChange())
  converted = transform.convert(network, foreign, link.slots, change)
  report = assign.compare(network, foreign, link.slots, converted)
  if not report.fits:
    text = verdict.describe(network, foreign)
    raise WeightMismatchError(f'{prefix} does not fit {spec.name}. {text} ({report.problems()})')
  say(report.summary('the checkpoint', 'exported'))
  if request.output.endswith('.ckpt'):
    with staging.staged_checkpoint(request.output) as path:
      network_run.run(network, converted.arrays, _probe(network), path)
  else:
    with staging.staged_file(request.output) as path:
      with files.naming(path):
        _write(path, network, converted.arrays)
      if path.endswith(('.pth', '.safetensors')):
        say(to_torch.describe(network))
      _compare(path, network, change, own.arrays, say)
  say(_describe_import(request, network.model, prefix if find_contract(prefix) else None))


def _describe_import(request: ExportRequest, model: str, contract: str | None) -> str:
  """The command that imports the file again, with the contract, which the file does not hold."""
  words = [f'--from={shlex.quote(request.output)}', f'--model={model}', '--output=PREFIX']
  words += ['--trunk_only'] if request.trunk_only else []
  words += ['--bgr' if request.bgr else '--nobgr']  # any of them ends the search for a publisher
  words += [f'--contract={shlex.quote(contract)}'] if contract else []
  return f'To import it here again: tools/import_weights {" ".join(words)}'


def _write(path: str, network: Network, arrays: dict[str, np.ndarray]) -> None:
  spec = specs.get(network.model)
  epsilon = spec.batch_norm.epsilon if spec.batch_norm else None
  if path.endswith('.npz'):
    npz.write_weights(path, {f'{spec.scope}/{name}': array for name, array in arrays.items()})
  elif path.endswith('.weights.h5'):
    keras_h5.write_weights(path, to_keras.list_layers(network, arrays), epsilon)
  elif path.endswith('.keras'):
    keras_net.check(network)
    model = keras_net.build(network, epsilon)
    keras_net.set_weights(model, to_keras.list_layers(network, arrays))
    model.save(path)
  else:
    to_torch.check(network)
    torch_state.write(path, to_torch.state_dict(network, arrays))


def _compare(
  path: str,
  network: Network,
  change: transform.InputChange,
  arrays: dict[str, np.ndarray],
  say: Callable[[str], None],
) -> None:
  """Compares the written file, run in its own framework, with the network of the checkpoint."""
  spec = specs.get(network.model)
  images = _probe(network)
  request = frameworks.Request(
    path=path,
    foreign=formats.read(path),
    network=network,
    epsilon=spec.batch_norm.epsilon if spec.batch_norm else None,
    images_of=lambda side: change.to_source(images),
  )
  try:
    run = frameworks.run_source(request)
  except frameworks.NotComparedError as error:
    say(f'not compared: {error}')
    return
  what = spec.trunk_layers()[-1].name if network.is_trunk else 'logits'
  say(probe.compare(run, network_run.run(network, arrays, images), what).text())


def _probe(network: Network) -> np.ndarray:
  """The probe image with values around 0, of the size of the network."""
  return (probe.probe_image(network.image_size) - 127.5) / np.float32(127.5)


def _recognize(
  request: ExportRequest, prefix: str, foreign: ForeignWeights
) -> tuple[Network, Link]:
  """Returns the network of a checkpoint: that of its contract, or one recognized from its shapes.

  Raises:
    ConfigError: neither the request nor a file beside the checkpoint names the network.
    CheckpointError: the checkpoint holds no head.
  """
  contract = find_contract(prefix)
  own = contract.network if contract and not request.model else None
  model = own.model if own else request.model
  if model is None:
    raise ConfigError(
      f'{prefix} has neither {contract_path(prefix).name} nor {config.CONFIG_FILE} beside it; give '
      '--model.'
    )
  spec = specs.get(model)
  link = linking.link(spec, foreign)
  if own and (own.is_trunk or not request.trunk_only):
    return own, link
  if not request.trunk_only and not linking.list_dense_layers(spec, foreign):
    raise CheckpointError(
      f'{prefix} does not hold the head of {spec.name}; --trunk_only exports the other layers.'
    )
  wishes = Wishes(trunk_only=request.trunk_only)
  network = recognition.recognize(spec, model, foreign, link.slots, wishes)
  assumption = recognition.describe_assumption(spec, network, foreign, link.slots, wishes)
  if assumption:
    _logger.warning('%s: %s', prefix, assumption)
  return network, link
