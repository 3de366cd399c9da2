"""Weights in: any known file -> TensorFlow checkpoint with slim's names, and its contract."""

import dataclasses
import pathlib
from collections.abc import Callable

import numpy as np

from vgg_slim import sessions
from vgg_slim.checkpoints import staging
from vgg_slim.checkpoints.contract import Contract, Source, contract_path, to_json
from vgg_slim.compat import tf
from vgg_slim.constants import IMAGENET_RGB_MEAN, NUM_IMAGENET_CLASSES
from vgg_slim.errors import WeightMismatchError
from vgg_slim.nets import registry, specs
from vgg_slim.nets.mode import Inference
from vgg_slim.nets.net_spec import NetSpec
from vgg_slim.weights import assign, formats, frameworks, names, probe, transform
from vgg_slim.weights.foreign import ForeignWeights
from vgg_slim.weights.transform import InputChange, Sizes


@dataclasses.dataclass(frozen=True)
class ImportRequest:
  """What to import, and what its network was fed.

  Attributes:
    source: file, or prefix of a checkpoint.
    model: a name of `specs.MODEL_NAMES`.
    output: prefix of the checkpoint to write.
    num_classes, image_size, fc_units: what the file's shapes say by default.
    trunk_only: leaves the head out.
    change: what the source network was fed.
    batch_norm_epsilon: of the source network; by default what the file, or its framework, says.
    rgb_mean, pixel_scale, class_names: for the contract.
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

  def images(self, side: int) -> np.ndarray:
    """The probe picture as our network is fed it, float32 [1, side, side, 3]."""
    picture = probe.probe_picture(side) - np.asarray(self.rgb_mean, np.float32)
    return (picture * self.pixel_scale).astype(np.float32)


def run_import(request: ImportRequest, say: Callable[[str], None]) -> Contract:
  """Writes `output`.index, .data-00000-of-00001 and .json, or nothing.

  Args:
    request: what and how.
    say: is given the report, then the comparison with the source framework, for people.

  Raises:
    CheckpointError: the file cannot be read.
    WeightMismatchError: it does not fit, or computes something else than in its own framework.
    ConfigError: no such model, values that make no contract, or `output` exists.
  """
  spec = specs.get(request.model)
  staging.check_checkpoint_is_free(request.output)
  foreign = formats.read(request.source)
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
  if report.missing or report.unexpected or report.clashes:
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


def _choose_sizes(spec: NetSpec, request: ImportRequest, guess: Sizes) -> Sizes:
  """The request's sizes, then the file's; 1000 classes if only to list what is missing."""
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
  return Contract(
    model=request.model,
    num_classes=2 if sigmoid else sizes.num_classes,
    image_size=sizes.image_size,
    fc_units=None if request.trunk_only else sizes.fc_units,
    source=Source(file, foreign.format, formats.sha256(request.source)),
    rgb_mean=request.rgb_mean,
    pixel_scale=request.pixel_scale,
    class_names=request.class_names,
    classifier_activation='sigmoid' if sigmoid else 'softmax',
  )


def _headline(spec: NetSpec, request: ImportRequest, foreign: ForeignWeights, sizes: Sizes) -> str:
  """What is converted into what, and what had to be supposed."""
  whole = f'{sizes.num_classes} classes at {sizes.image_size} pixels'
  lines = [f'{foreign.format} -> {spec.name}, {"trunk only" if request.trunk_only else whole}']
  if spec.batch_norm and not request.batch_norm_epsilon and not foreign.epsilons:
    epsilon = transform.default_epsilon(spec, foreign)
    lines.append(f'batch norm: epsilon is not in the file; taken to be {epsilon:g}')
  if foreign.framework == 'torch' and request.change.rgb_std is None:
    lines.append('input: no --rgb_std given; torchvision divides by 58.395,57.12,57.375')
  return '\n'.join(lines)


def _hint(
  spec: NetSpec,
  foreign: ForeignWeights,
  request: ImportRequest,
  guess: Sizes,
  report: assign.Report,
) -> str:
  """What to do about a file that does not fit."""
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
    return 'The file has no head of this network; --trunk_only imports the layers below it.'
  return ''


def _fits(spec: NetSpec, foreign: ForeignWeights) -> bool:
  """Whether the whole file is that network."""
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
  return not (report.missing or report.unexpected or report.clashes)


def _run_source(
  spec: NetSpec, request: ImportRequest, foreign: ForeignWeights, sizes: Sizes
) -> tuple[frameworks.SourceRun | None, str]:
  """Runs the file in its own framework; or says why not."""
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
  """Saves `arrays` as variables of the network at `prefix`, in format V2, and runs what it saved.

  Args:
    arrays: by variable name below the network's scope.
    images: float32 [N, H, W, 3], preprocessed.

  Returns:
    logits [N, K], or a trunk's last map [N, h, w, C], from the checkpoint as it was restored.

  Raises:
    WeightMismatchError: the arrays are not exactly the network's variables.
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
