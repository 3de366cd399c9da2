"""The network that `tools/predict` loads into its own process, for itself or to serve it.

TensorFlow is only loaded when the network is opened, after the checks.
"""

import functools
import pathlib
import uuid
from collections.abc import Iterator, Sequence
from typing import BinaryIO, NamedTuple

import numpy as np
from absl import flags

from vgg_slim.checkpoints import contract
from vgg_slim.commands import interruption, invocation, progress
from vgg_slim.commands.flags import checkpoint_flags
from vgg_slim.errors import ConfigError, VggSlimError
from vgg_slim.evaluation import socket_messages, socket_server, views
from vgg_slim.evaluation.predictions import Answer, Prediction
from vgg_slim.nets import geometry, specs

_SOURCES = ('train_dir', 'checkpoint_path', 'weights', 'saved_model')


class Options(NamedTuple):
  """What of an image is scored, and how.

  Attributes:
    saved_model: folder of a SavedModel; None for the checkpoint that the flags name.
    test_scale: smaller side Q of the resized image, in pixels; None for that of the contract.
    central_crop: whether only the central square is scored.
    flip: whether the flipped image is scored too.
    batch_size: number of images per batch.
  """

  saved_model: str | None
  test_scale: int | None
  central_crop: bool
  flip: bool
  batch_size: int


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
    folder = self._options.saved_model
    if not folder:
      return contract.load_contract(checkpoint_flags.path())[1]
    if self._drawings.heat_maps:
      raise ConfigError('--heat_maps needs the layers of a checkpoint, which a SavedModel lacks.')
    path = pathlib.Path(folder, contract.SAVED_MODEL_EXTRAS, contract.EXPORTED_FILE)
    return contract.read_contract(path)

  def __enter__(self) -> 'LocalNetwork':
    """Loads TensorFlow and the weights."""
    invocation.load_tensorflow()
    from vgg_slim.evaluation import predictor

    options = self._options
    view = predictor.View(options.test_scale, options.central_crop, options.flip)
    self._predictor: predictor.Predictor
    if options.saved_model:
      self._predictor = predictor.SavedModelPredictor(options.saved_model, self._contract, view)
    else:
      prefix = checkpoint_flags.resolve(checkpoint_flags.path())
      self._predictor = predictor.CheckpointPredictor(prefix, self._contract, view)
    return self

  def __exit__(self, *exception: object) -> None:
    self._predictor.__exit__(*exception)

  def predict_files(self, paths: Sequence[str], top: int, folder: str = '') -> Iterator[Answer]:
    """Yields an answer for each file, see `predictor.predict_files`."""
    from vgg_slim.evaluation import predictor

    return predictor.predict_files(self._predictor, paths, top, self._options.batch_size, folder)

  def draw(self, answers: Sequence[Prediction], grid: BinaryIO | None) -> None:
    """Draws the figures, and a grid of all images to the stream `grid`."""
    from vgg_slim.evaluation import prediction_images, predictor

    bar_charts, heat_maps, layer = self._drawings
    if bar_charts:
      prediction_images.write_bar_charts(pathlib.Path(bar_charts), answers)
    if grid:
      prediction_images.write_grid(grid, answers)
    # --saved_model is refused with --heat_maps.
    if heat_maps and isinstance(self._predictor, predictor.CheckpointPredictor):
      prediction_images.write_heat_maps(
        pathlib.Path(heat_maps), answers, self._predictor, self._contract, layer
      )

  def serve(self, path: str) -> None:
    """Loads the network and answers questions at the socket `path` until a signal comes.

    Raises:
      OutputError: the socket cannot be created, or another server listens there.
    """
    with interruption.by_one_signal(), socket_server.listening(path) as listener, self:
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
        socket_server.serve(listener, description, functools.partial(_answer, self))
      except KeyboardInterrupt:
        progress.say(f'Stopped; {path} is removed.')

  def _warm_up(self) -> None:
    """Scores one black image: the first batch takes twice the time of the second."""
    side = self._contract.network.image_size
    self._predictor.probabilities([np.zeros([side, side, 3], np.float32)])


def _answer(network: LocalNetwork, folder: str, files: Sequence[str], top: int) -> list[Answer]:
  try:
    return list(network.predict_files(files, top, folder))
  except Exception as error:
    if not (reason := invocation.tensorflow_reason(error)):
      raise
    raise VggSlimError(f'TensorFlow: {reason}.') from error
