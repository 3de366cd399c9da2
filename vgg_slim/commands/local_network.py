"""The network that `tools/predict` loads into its own process, for itself or to serve it.

TensorFlow is only loaded when a network that needs it is opened, after the checks.
"""

import pathlib
import shlex
import sys
import uuid
from collections.abc import Iterator, Sequence
from typing import BinaryIO, NamedTuple

import numpy as np
from absl import flags

from vgg_slim.checkpoints import contract, exported, prefixes
from vgg_slim.commands import invocation, progress
from vgg_slim.commands.flags import checkpoint_flags, precision_flag
from vgg_slim.configs.runtime import AUTO
from vgg_slim.errors import ConfigError, VggSlimError
from vgg_slim.evaluation import (
  engines,
  image_predictor,
  onnx_predictor,
  precision_proof,
  socket_messages,
  socket_server,
  views,
)
from vgg_slim.evaluation.predictions import Answer, Prediction
from vgg_slim.nets import geometry, specs

TENSORFLOW = 'tensorflow'
_SOURCES = ('train_dir', 'checkpoint_path', 'weights', 'saved_model', 'onnx_model')


class Options(NamedTuple):
  """What of an image is scored, and how.

  Attributes:
    engine: what runs the network: TENSORFLOW, or a key of `engines.ENGINES`.
    saved_model: folder of a SavedModel, or None.
    onnx_model: folder of an ONNX export, or None. The flags name a checkpoint if there is neither.
    test_scale: smaller side Q of the resized image, in pixels; None for that of the contract.
    central_crop: whether only the central square is scored.
    flip: whether the flipped image is scored too.
    batch_size: number of images per batch.
    precision: one of `runtime.INFERENCE_PRECISIONS`; AUTO for exports, and for float32 in a server.
  """

  engine: str
  saved_model: str | None
  onnx_model: str | None
  test_scale: int | None
  central_crop: bool
  flip: bool
  batch_size: int
  precision: str = AUTO


class Drawings(NamedTuple):
  """Figures to draw of the predictions: folders, or None.

  Attributes:
    bar_charts: folder for a bar chart of each image.
    heat_maps: folder for heat maps of each image.
    layer: layer of Grad-CAM; None for the last feature map before the final pool.
  """

  bar_charts: str | None = None
  heat_maps: str | None = None
  layer: str | None = None


_NO_DRAWINGS = Drawings()


class LocalNetwork:
  """A network in this process; a context manager that loads it and closes it.

  Attributes:
    class_names: names of its classes; empty if they are unknown.
    num_classes: number of its classes.
  """

  def __init__(self, options: Options, drawings: Drawings = _NO_DRAWINGS) -> None:
    """Reads the contract, of the newest checkpoint by name in a folder, and checks the options.

    Raises:
      CheckpointError: there is no checkpoint, or its contract cannot be read.
      ConfigError: an option does not fit the network, or none or several are named.
    """
    self._options, self._drawings = options, drawings
    self._contract = self._load_contract()
    network = self._contract.network
    if drawings.layer:
      geometry.find_layer(specs.get(network.model), drawings.layer)
    if options.test_scale:
      views.check_test_scales([options.test_scale], network.image_size)
    self.class_names = self._contract.class_names or ()
    self.num_classes = network.num_classes or 0

  def _load_contract(self) -> contract.Contract:
    given = [name for name in _SOURCES if flags.FLAGS[name].value]
    if len(given) != 1:
      raise ConfigError(f'Give exactly one of --{", --".join(_SOURCES)}.')
    options = self._options
    if options.onnx_model is None and options.engine != TENSORFLOW:
      raise ConfigError(
        f'--engine={options.engine} runs an export: tools/export_model --format=onnx '
        f'--checkpoint_path={_checkpoint_named_by(given[0])} --output=FOLDER, then '
        '--onnx_model=FOLDER.'
      )
    if not (options.saved_model or options.onnx_model):
      return contract.load_contract(checkpoint_flags.path())[1]
    checkpoint_flags.check_model_is_free(given[0])
    if options.precision != AUTO:
      raise ConfigError('--precision is for checkpoints: an export is computed as it was written.')
    if self._drawings.heat_maps:
      raise ConfigError('--heat_maps needs the layers of a checkpoint, which an export lacks.')
    if options.saved_model:
      files, extras = exported.SAVED_MODEL_FILES, contract.SAVED_MODEL_EXTRAS
      return _exported_contract('--saved_model', 'saved_model', options.saved_model, files, extras)
    if options.engine == TENSORFLOW:
      raise ConfigError('TensorFlow runs no ONNX file: give another --engine, or a checkpoint.')
    engines.check_installed(options.engine)
    folder = options.onnx_model or ''
    return _exported_contract('--onnx_model', 'onnx', folder, exported.ONNX_FILES)

  def __enter__(self) -> 'LocalNetwork':
    """Loads the engine and the weights."""
    options = self._options
    view = image_predictor.View(options.test_scale, options.central_crop, options.flip)
    self._predictor: image_predictor.ImagePredictor
    if options.onnx_model:
      self._predictor = onnx_predictor.OnnxPredictor(
        options.onnx_model, self._contract, options.engine, view
      )
      return self
    invocation.load_tensorflow()
    from vgg_slim.evaluation import predictor

    if options.saved_model:
      self._predictor = predictor.SavedModelPredictor(options.saved_model, self._contract, view)
    else:
      precision_flag.warn()
      prefix = checkpoint_flags.resolve(checkpoint_flags.path())
      precision = 'float32' if options.precision == AUTO else options.precision
      self._predictor = predictor.CheckpointPredictor(prefix, self._contract, view, precision)
    return self

  def __exit__(self, *exception: object) -> None:
    self._predictor.__exit__(*exception)

  def predict_files(self, paths: Sequence[str], top: int) -> Iterator[Answer]:
    """Yields an answer for each file, in the precision that the files allow."""
    if self._options.precision == AUTO and len(paths) >= precision_proof.MIN_INPUTS:
      self._choose_precision(paths)
    return self._predict_as_loaded(paths, top, '')

  def _predict_as_loaded(self, paths: Sequence[str], top: int, folder: str) -> Iterator[Answer]:
    size = self._options.batch_size
    return image_predictor.predict_files(self._predictor, paths, top, size, folder)

  def _choose_precision(self, paths: Sequence[str]) -> None:
    """Goes on in a faster precision if the first files prove that answers stay the same."""
    if self._options.saved_model or self._options.onnx_model:
      return
    from vgg_slim.evaluation import predictor, predictor_choice

    if isinstance(self._predictor, predictor.CheckpointPredictor):
      batch_size = self._options.batch_size
      self._predictor, proof = predictor_choice.choose(self._predictor, paths, batch_size)
      if proof:
        progress.say(proof.describe(), sys.stderr)

  def draw(self, answers: Sequence[Prediction], grid: BinaryIO | None) -> None:
    """Draws the figures, and a grid of all images to the stream `grid`."""
    from vgg_slim.evaluation import prediction_images, predictor

    bar_charts, heat_maps, layer = self._drawings
    if bar_charts:
      prediction_images.write_bar_charts(pathlib.Path(bar_charts), answers)
    if grid:
      prediction_images.write_grid(grid, answers)
    # Exports are refused with --heat_maps.
    if heat_maps and isinstance(self._predictor, predictor.CheckpointPredictor):
      prediction_images.write_heat_maps(
        pathlib.Path(heat_maps), answers, self._predictor, self._contract, layer
      )

  def serve(self, path: str) -> None:
    """Loads the network and answers questions at the socket `path` until a signal comes.

    Raises:
      OutputError: the socket cannot be created, or another server listens there.
    """
    with socket_server.listening(path) as listener, self:
      self._warm_up()
      network = self._contract.network
      progress.say(
        f'Serving {network.model} of {self._predictor.source} at {path}; ask with '
        f'--socket={path}, stop with Ctrl-C.'
      )
      progress.reporter().event('serving', socket=path, model=network.model)
      description = socket_messages.Description(
        uuid.uuid4().hex, self._options.batch_size, self.num_classes, list(self.class_names) or None
      )
      try:
        socket_server.serve(listener, description, self._answer)
      except KeyboardInterrupt:
        progress.say(f'Stopped; {path} is removed.')

  def _warm_up(self) -> None:
    """Scores one black image: the first batch takes twice the time of the second."""
    side = self._contract.network.image_size
    self._predictor.probabilities([np.zeros([side, side, 3], np.float32)])

  def _answer(self, folder: str, files: Sequence[str], top: int) -> list[Answer]:
    """Answers in the precision of the start, so that no question changes the answers to others."""
    try:
      return list(self._predict_as_loaded(files, top, folder))
    except Exception as error:
      if not (reason := invocation.tensorflow_reason(error)):
        raise
      raise VggSlimError(f'TensorFlow: {reason}.') from error


def _checkpoint_named_by(source: str) -> str:
  """Returns what tools/export_model takes for a flag of the network: a prefix or a train_dir."""
  has_path = source in ('train_dir', 'checkpoint_path')
  return shlex.quote(str(flags.FLAGS[source].value)) if has_path else 'CHECKPOINT'


def _exported_contract(
  flag: str, form: str, folder: str, files: Sequence[str], below: str = '.'
) -> contract.Contract:
  """Reads the contract in `below` of the folder of an export in the format `form`."""
  if form == 'saved_model' and (problem := prefixes.path_problem(folder)):
    raise ConfigError(f'{flag}={folder}: {problem}.')
  path = pathlib.Path(folder, below, contract.EXPORTED_FILE)
  if not path.is_file():
    raise ConfigError(
      f'{flag}={folder} is not a folder that tools/export_model --format={form} wrote: {path} '
      'does not exist.'
    )
  return exported.read(pathlib.Path(folder), files, below)
