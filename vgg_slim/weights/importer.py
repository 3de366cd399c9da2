"""Imports weights: any known file -> TensorFlow checkpoint with slim's names, and its contract."""

import dataclasses
import fnmatch
import logging
import pathlib
from collections.abc import Callable

import numpy as np

from vgg_slim import output_files
from vgg_slim.checkpoints import staging
from vgg_slim.checkpoints.contract import Contract, Source, contract_path, to_json
from vgg_slim.configs.net import Network
from vgg_slim.constants import IMAGENET_RGB_MEAN
from vgg_slim.data import imagenet_classes
from vgg_slim.errors import ConfigError, WeightMismatchError
from vgg_slim.nets import head_specs, specs
from vgg_slim.nets.net_spec import NetSpec
from vgg_slim.preprocessing import test_scales
from vgg_slim.preprocessing.description import Preprocessing
from vgg_slim.weights import (
  assign,
  formats,
  frameworks,
  known_input,
  linking,
  network_run,
  probe,
  recognition,
  transform,
  verdict,
)
from vgg_slim.weights.foreign import ForeignWeights
from vgg_slim.weights.linking import Link
from vgg_slim.weights.recognition import Wishes
from vgg_slim.weights.transform import InputChange
from vgg_slim.wording import counted

_logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class ImportRequest(Wishes):
  """What to import, and the input of its network.

  Attributes:
    source: path of a file, or prefix of a checkpoint.
    model: one of `specs.MODEL_NAMES`.
    output: prefix of the checkpoint to write.
    exclude: patterns of `fnmatch` for names of arrays that are left out.
    change: difference between the source network's input and ours.
    batch_norm_epsilon: epsilon of the source network; by default from the file or its framework.
    rgb_mean, pixel_scale, class_names: values for the contract.
    preprocessing: what images go through, instead of `rgb_mean`, `pixel_scale` and the defaults.
    random_flip: whether training is taken to have mirrored images.
    input_is_unknown: whether `change`, `rgb_mean` and `pixel_scale` are mere defaults, which give
      way to what is known of a published file.
    report: path of a text file for the names of all variables and arrays, written even if the file
      does not fit; None for none.
  """

  source: str
  model: str
  output: str
  exclude: tuple[str, ...] = ()
  change: InputChange = InputChange()
  batch_norm_epsilon: float | None = None
  rgb_mean: tuple[float, float, float] = IMAGENET_RGB_MEAN
  pixel_scale: float = 1.0
  class_names: tuple[str, ...] | None = None
  preprocessing: Preprocessing | None = None
  random_flip: bool = True
  input_is_unknown: bool = False
  report: str | None = None

  def __post_init__(self) -> None:
    if self.head:
      head_specs.get(self.head)

  def images(self, side: int) -> np.ndarray:
    """The probe image as input of our network, float32 [1, side, side, 3]."""
    pixels = self.preprocessing or self
    image = probe.probe_image(side) - np.asarray(pixels.rgb_mean, np.float32)
    return (image * np.asarray(pixels.pixel_scale, np.float32)).astype(np.float32)

  def like(self, contract: Contract) -> 'ImportRequest':
    """Returns the request for a file of the network, input and classes of a contract.

    Raises:
      ConfigError: the contract is of another network than `model`, or of a trunk alone where a
        whole network is wanted.
    """
    network = contract.network
    if specs.get(network.model) != specs.get(self.model):
      raise ConfigError(f'the contract is of {network.model}, not of {self.model}.')
    if network.is_trunk and not self.trunk_only:
      raise ConfigError('the contract is of a trunk alone: give --trunk_only.')
    request = dataclasses.replace(
      self,
      image_size=network.image_size,
      preprocessing=contract.preprocessing,
      random_flip=contract.random_flip,
      input_is_unknown=False,
    )
    if self.trunk_only:
      return request
    return dataclasses.replace(
      request,
      num_classes=network.num_logits,
      head=network.head or specs.get(self.model).head,
      fc_units=network.fc_units,
      class_names=contract.class_names,
    )


def run_import(request: ImportRequest, say: Callable[[str], None]) -> Contract:
  """Writes `output`.index, .data-00000-of-00001 and .json, or raises and writes nothing.

  Args:
    request: file to import, and the settings of the import.
    say: function called with the summary and the comparison with the source framework, as text.

  Raises:
    CheckpointError: the file cannot be read.
    WeightMismatchError: the file does not fit, or computes something else in its own framework.
    ConfigError: the model is unknown, the contract's values are invalid, or `output` exists.
  """
  spec = specs.get(request.model)
  staging.check_checkpoint_is_free(request.output)
  whole = formats.read(request.source)
  if request.input_is_unknown:
    request, assumption = _with_known_input(request, whole)
    say(assumption)
  excluded = _find_excluded(request, whole)
  foreign = whole.without(excluded)
  link = linking.link(spec, foreign)
  network = recognition.recognize(spec, request.model, foreign, link.slots, request)
  _check_activation(request, foreign, network)
  contract = _contract(request, foreign, network)
  converted = transform.convert(
    network, foreign, link.slots, request.change, request.batch_norm_epsilon
  )
  report = assign.compare(network, whole, link.slots, converted, excluded)
  if request.report:
    output_files.write_text(request.report, f'{report.text()}\n')
  for assumption in _list_assumptions(spec, request, foreign, link, network):
    _logger.warning('%s', assumption)
  if not report.fits:
    raise WeightMismatchError(_explain(spec, request, foreign, network, report))
  head = f'{foreign.format} -> {_describe(spec, network)}'
  say('\n'.join(filter(None, [head, foreign.input_note, report.summary()])))
  run, reason = _run_source(spec, request, foreign, network)
  with staging.staged_checkpoint(request.output) as prefix:
    images = request.images(run.side if run else network.image_size)
    output = network_run.run(network, converted.arrays, images, prefix)
    if run:
      what = spec.trunk_layers()[-1].name if request.trunk_only else 'logits'
      say(probe.compare(run, output, what).text())
    else:
      say(f'not compared with the source: {reason}')
    contract_path(prefix).write_text(to_json(contract), encoding='utf-8')
  return contract


def _with_known_input(request: ImportRequest, foreign: ForeignWeights) -> tuple[ImportRequest, str]:
  """Returns the request with the input of a published file, and what is assumed."""
  known = known_input.recognize(request.source, foreign)
  if known:
    publisher = known.publisher
    is_imagenet = known.has_classes and not request.trunk_only
    request = dataclasses.replace(
      request,
      change=InputChange(publisher.bgr, publisher.rgb_std),
      rgb_mean=publisher.rgb_mean,
      class_names=request.class_names or (imagenet_classes.names() if is_imagenet else None),
    )
  return request, known_input.describe_assumption(known, foreign.framework)


def _find_excluded(request: ImportRequest, foreign: ForeignWeights) -> set[str]:
  """Returns the names of the arrays that the patterns of the request match.

  Raises:
    ConfigError: a pattern matches nothing.
  """
  matches = {pattern: fnmatch.filter(foreign.arrays, pattern) for pattern in request.exclude}
  useless = [pattern for pattern, found in matches.items() if not found]
  if useless:
    raise ConfigError(
      f'--exclude={",".join(useless)} matches no array of {request.source}, whose names are such '
      f'as {next(iter(foreign.arrays))!r}.'
    )
  return {name for found in matches.values() for name in found}


def _check_activation(request: ImportRequest, foreign: ForeignWeights, network: Network) -> None:
  """Raises WeightMismatchError if the scores of the file are not the probabilities of one class."""
  if foreign.activation == 'sigmoid' and not network.is_trunk and network.num_logits != 1:
    raise WeightMismatchError(
      f'{request.source} ends in a sigmoid of {network.num_logits} scores, for images with several '
      'labels; the classes of a network here exclude each other. --trunk_only imports the trunk.'
    )


def _contract(request: ImportRequest, foreign: ForeignWeights, network: Network) -> Contract:
  q = test_scales.default(network.image_size)
  pixels = request.preprocessing or Preprocessing(request.rgb_mean, request.pixel_scale, q)
  file = pathlib.Path(request.source).name
  source = Source(file, foreign.format, formats.sha256(request.source))
  return Contract(network, pixels, request.class_names, source, random_flip=request.random_flip)


def _describe(spec: NetSpec, network: Network) -> str:
  if network.is_trunk:
    return f'{spec.name}, trunk only'
  head = network.head or spec.head
  units = f' of {network.fc_units} units' if head_specs.has_free_units(head) else ''
  return (
    f'{spec.name}, head {head}{units}, {network.num_classes} classes at {network.image_size} pixels'
  )


def _list_assumptions(
  spec: NetSpec, request: ImportRequest, foreign: ForeignWeights, link: Link, network: Network
) -> list[str]:
  """Returns what was assumed because the file does not say it, one sentence each."""
  assumptions = []
  if link.by_order:
    text = f'{request.source}: the names of the layers are unknown, so that they are taken by order'
    assumptions.append(f'{text} and shape.')
  if not request.trunk_only:
    head = recognition.describe_assumption(spec, network, foreign, link.slots, request)
    assumptions += [f'{request.source}: {head}'] if head else []
  if spec.batch_norm and not request.batch_norm_epsilon and not foreign.epsilons:
    epsilon = transform.default_epsilon(spec, foreign)
    assumptions.append(
      f'{request.source} does not hold the epsilon of batch norm: assuming {epsilon:g}; '
      '--batch_norm_epsilon gives another.'
    )
  return assumptions


def _explain(
  spec: NetSpec,
  request: ImportRequest,
  foreign: ForeignWeights,
  network: Network,
  report: assign.Report,
) -> str:
  """Returns the message for a file that does not fit: a verdict, advice, and counts of names."""
  parts = [
    f'{request.source} does not fit {spec.name}.',
    verdict.describe(network, foreign),
    _hint(spec, foreign, request, report),
    f'({report.problems()}; {"all names are in" if request.report else "list all names with"} '
    f'--report={request.report or "FILE"})',
  ]
  return ' '.join(filter(None, parts))


def _hint(
  spec: NetSpec, foreign: ForeignWeights, request: ImportRequest, report: assign.Report
) -> str:
  """Returns advice on what to do about a file that does not fit."""
  own = _find_fit(request.model, foreign)  # at the file's own sizes
  if own is not None and not request.trunk_only:
    if request.num_classes in (None, own.num_logits):
      return (
        f'The file is for --head={own.head or spec.head} --image_size={own.image_size} '
        f'--fc_units={own.fc_units}.'
      )
    classes = counted(own.num_logits or 0, 'class')
    return (
      f'The file has {classes}: import it without --num_classes, and give training '
      f'--checkpoint_exclude_scopes={spec.scope}/{spec.fc_scopes[-1]} for a new head.'
    )
  if not request.trunk_only and _find_fit(request.model, foreign, trunk_only=True):
    return f'--trunk_only imports the layers of {spec.name} below the head.'
  for trunk_only, flag in ((False, ''), (True, ' --trunk_only')):
    fitting = [n for n in sorted(specs.NETWORKS) if _find_fit(n, foreign, trunk_only)]
    if fitting:
      return f'The file fits --model={" or ".join(fitting)}{flag}.'
  return '' if report.missing else '--exclude=PATTERN leaves arrays out by name.'


def _find_fit(model: str, foreign: ForeignWeights, trunk_only: bool = False) -> Network | None:
  """Returns the network of `model` that the file fits completely, if any."""
  spec = specs.get(model)
  try:
    link = linking.link(spec, foreign)
  except WeightMismatchError:
    return None
  network = recognition.recognize(spec, model, foreign, link.slots, Wishes(trunk_only=trunk_only))
  converted = transform.convert(network, foreign, link.slots, InputChange())
  return network if assign.compare(network, foreign, link.slots, converted).fits else None


def _run_source(
  spec: NetSpec, request: ImportRequest, foreign: ForeignWeights, network: Network
) -> tuple[frameworks.SourceRun | None, str]:
  """Runs the file in its own framework; returns (run, '') or (None, reason)."""
  epsilon = request.batch_norm_epsilon
  if spec.batch_norm and not epsilon:
    epsilon = transform.default_epsilon(spec, foreign)
  source = frameworks.Request(
    path=request.source,
    foreign=foreign,
    network=network,
    epsilon=epsilon,
    images_of=lambda side: request.change.to_source(request.images(side)),
  )
  try:
    return frameworks.run_source(source), ''
  except frameworks.NotComparedError as error:
    return None, str(error)
