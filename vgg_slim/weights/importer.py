"""Imports weights: any known file -> TensorFlow checkpoint with slim's names, and its contract."""

import dataclasses
import pathlib
from collections.abc import Callable

import numpy as np

from vgg_slim import sessions
from vgg_slim.checkpoints import staging
from vgg_slim.checkpoints.contract import Contract, Source, contract_path, to_json
from vgg_slim.compat import tf
from vgg_slim.configs.net import Network
from vgg_slim.constants import IMAGENET_RGB_MEAN, NUM_IMAGENET_CLASSES
from vgg_slim.data import imagenet_classes
from vgg_slim.errors import WeightMismatchError
from vgg_slim.nets import registry, specs
from vgg_slim.nets.mode import Inference
from vgg_slim.nets.net_spec import NetSpec
from vgg_slim.preprocessing import test_scales
from vgg_slim.preprocessing.description import Preprocessing
from vgg_slim.weights import (
  assign,
  formats,
  frameworks,
  known_input,
  names,
  probe,
  transform,
)
from vgg_slim.weights.foreign import ForeignWeights
from vgg_slim.weights.transform import InputChange, Sizes


@dataclasses.dataclass(frozen=True)
class ImportRequest:
  """What to import, and the input of its network.

  Attributes:
    source: path of a file, or prefix of a checkpoint.
    model: one of `specs.MODEL_NAMES`.
    output: prefix of the checkpoint to write.
    num_classes, image_size, fc_units: sizes of the network; by default from the file's shapes.
    trunk_only: whether the head is left out.
    change: difference between the source network's input and ours.
    batch_norm_epsilon: epsilon of the source network; by default from the file or its framework.
    rgb_mean, pixel_scale, class_names: values for the contract.
    input_is_unknown: whether `change`, `rgb_mean` and `pixel_scale` are mere defaults, which give
      way to what is known of a published file.
  """

  source: str
  model: str
  output: str
  num_classes: int | None = None
  image_size: int | None = None
  fc_units: int | None = None
  trunk_only: bool = False
  change: InputChange = InputChange()
  batch_norm_epsilon: float | None = None
  rgb_mean: tuple[float, float, float] = IMAGENET_RGB_MEAN
  pixel_scale: float = 1.0
  class_names: tuple[str, ...] | None = None
  input_is_unknown: bool = False

  def images(self, side: int) -> np.ndarray:
    """The probe image as input of our network, float32 [1, side, side, 3]."""
    image = probe.probe_image(side) - np.asarray(self.rgb_mean, np.float32)
    return (image * self.pixel_scale).astype(np.float32)


def run_import(request: ImportRequest, say: Callable[[str], None]) -> Contract:
  """Writes `output`.index, .data-00000-of-00001 and .json, or raises and writes nothing.

  Args:
    request: file to import, and the settings of the import.
    say: function called with the report and the comparison with the source framework, as text.

  Raises:
    CheckpointError: the file cannot be read.
    WeightMismatchError: the file does not fit, or computes something else in its own framework.
    ConfigError: the model is unknown, the contract's values are invalid, or `output` exists.
  """
  spec = specs.get(request.model)
  staging.check_checkpoint_is_free(request.output)
  foreign = formats.read(request.source)
  if request.input_is_unknown:
    request, assumption = _with_known_input(request, foreign)
    say(assumption)
  slots = names.link(spec, foreign)
  guess = transform.guess_sizes(spec, foreign, slots)
  sizes = _choose_sizes(spec, request, guess)
  contract = _contract(request, foreign, sizes)
  shapes = sizes.shapes(spec)
  epsilon = request.batch_norm_epsilon
  converted = transform.convert(spec, foreign, slots, shapes, request.change, epsilon)
  report = assign.compare(spec, shapes, foreign, slots, converted, request.trunk_only)
  say(_headline(spec, request, foreign, sizes))
  say(report.text())
  if report.missing or report.unexpected or report.mismatches:
    assign.check(report, spec, _hint(spec, foreign, request, guess, report))
  run, reason = _run_source(spec, request, foreign, sizes)
  with staging.staged_checkpoint(request.output) as prefix:
    images = request.images(run.side if run else sizes.image_size)
    output = write_checkpoint(spec, sizes, converted.arrays, prefix, images)
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


def _choose_sizes(spec: NetSpec, request: ImportRequest, guess: Sizes) -> Sizes:
  """Returns the sizes of the request, or those of the file where the request leaves them out.

  Without either, 1000 classes are assumed, so that missing variables can be listed.
  """
  if request.trunk_only:
    return Sizes(None, request.image_size or spec.image_size)
  return Sizes(
    request.num_classes or guess.num_classes or NUM_IMAGENET_CLASSES,
    request.image_size or guess.image_size,
    request.fc_units or guess.fc_units,
  )


def _contract(request: ImportRequest, foreign: ForeignWeights, sizes: Sizes) -> Contract:
  file = pathlib.Path(request.source).name
  sigmoid = sizes.num_classes == 1
  network = Network(
    2 if sigmoid else sizes.num_classes,
    request.model,
    image_size=sizes.image_size,
    fc_units=sizes.fc_units,
    classifier_activation='sigmoid' if sigmoid else 'softmax',
  )
  q = test_scales.default(sizes.image_size)
  pixels = Preprocessing(request.rgb_mean, request.pixel_scale, q)
  source = Source(file, foreign.format, formats.sha256(request.source))
  return Contract(network, pixels, request.class_names, source)


def _headline(spec: NetSpec, request: ImportRequest, foreign: ForeignWeights, sizes: Sizes) -> str:
  """Describes the conversion and the assumptions that were made."""
  whole = f'{sizes.num_classes} classes at {sizes.image_size} pixels'
  lines = [f'{foreign.format} -> {spec.name}, {"trunk only" if request.trunk_only else whole}']
  if spec.batch_norm and not request.batch_norm_epsilon and not foreign.epsilons:
    epsilon = transform.default_epsilon(spec, foreign)
    lines.append(f'batch norm: the file does not hold epsilon; assuming {epsilon:g}')
  if foreign.input_note:
    lines.append(foreign.input_note)
  return '\n'.join(lines)


def _hint(
  spec: NetSpec,
  foreign: ForeignWeights,
  request: ImportRequest,
  guess: Sizes,
  report: assign.Report,
) -> str:
  """Returns advice on what to do about a file that does not fit."""
  if _fits(spec, foreign):  # at the file's own sizes
    if request.num_classes in (None, guess.num_classes):
      return f'The file is for --image_size={guess.image_size} --fc_units={guess.fc_units}.'
    return (
      f'The file has {guess.num_classes} classes: import it without --num_classes, and give '
      f'training --checkpoint_exclude_scopes={spec.scope}/{spec.fc_scopes[-1]} for a new head.'
    )
  fitting = [name for name in sorted(specs.NETWORKS) if _fits(specs.get(name), foreign)]
  if fitting:
    return f'The file fits --model={" or ".join(fitting)}.'
  if guess.num_classes is None and report.matched and not request.trunk_only:
    return 'The file lacks the head of this network; --trunk_only imports the layers below it.'
  return ''


def _fits(spec: NetSpec, foreign: ForeignWeights) -> bool:
  """Whether the file fits the network of `spec` completely."""
  try:
    slots = names.link(spec, foreign)
  except WeightMismatchError:
    return False
  sizes = transform.guess_sizes(spec, foreign, slots)
  if sizes.num_classes is None:
    return False
  shapes = sizes.shapes(spec)
  converted = transform.convert(spec, foreign, slots, shapes, InputChange())
  report = assign.compare(spec, shapes, foreign, slots, converted)
  return not (report.missing or report.unexpected or report.mismatches)


def _run_source(
  spec: NetSpec, request: ImportRequest, foreign: ForeignWeights, sizes: Sizes
) -> tuple[frameworks.SourceRun | None, str]:
  """Runs the file in its own framework; returns (run, '') or (None, reason)."""
  epsilon = request.batch_norm_epsilon
  if spec.batch_norm and not epsilon:
    epsilon = transform.default_epsilon(spec, foreign)
  source = frameworks.Request(
    path=request.source,
    foreign=foreign,
    model=spec.name,
    num_classes=sizes.num_classes,
    image_size=sizes.image_size,
    fc_units=sizes.fc_units,
    epsilon=epsilon,
    images_of=lambda side: request.change.to_source(request.images(side)),
  )
  try:
    return frameworks.run_source(source), ''
  except frameworks.NotComparedError as error:
    return None, str(error)


def write_checkpoint(
  spec: NetSpec, sizes: Sizes, arrays: dict[str, np.ndarray], prefix: str, images: np.ndarray
) -> np.ndarray:
  """Saves `arrays` as a checkpoint at `prefix`, in format V2, and runs the restored network.

  Args:
    spec: specification of the network.
    sizes: sizes of the network.
    arrays: values of all variables, by name below the network's scope.
    prefix: prefix of the checkpoint to write.
    images: float32 [N, H, W, 3], preprocessed.

  Returns:
    Logits [N, K], or a trunk's last map [N, h, w, C], of the network restored from the checkpoint.

  Raises:
    WeightMismatchError: the arrays do not match the network's variables exactly.
  """
  with tf.Graph().as_default():
    outputs = registry.build(
      spec,
      tf.constant(images),
      sizes.num_classes,
      Inference(),
      image_size=sizes.image_size,
      fc_units=sizes.fc_units,
    )
    output = outputs.logits
    if output is None:
      output = outputs.end_points[spec.trunk_layers()[-1].name]
    variables = tf.global_variables()
    saver = tf.train.Saver(variables, write_version=tf.train.SaverDef.V2)
    with sessions.open_session() as session:
      assign.assign(session, variables, {f'{spec.scope}/{n}': a for n, a in arrays.items()})
      saver.save(session, prefix, write_meta_graph=False, write_state=False)
    with sessions.open_session() as session:
      saver.restore(session, prefix)
      return session.run(output)
