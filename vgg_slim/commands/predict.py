"""Classifies images: prints the most probable classes of each, with percentages.

  tools/predict --train_dir=runs/photos cat.jpg dog.jpg
  tools/predict --train_dir=runs/photos holiday/ 'archive/**/*.png' --top=5 --output=answers.csv
  tools/predict --weights=imagenet photos/ --bar_charts=charts --grid=grid.png
  tools/predict --train_dir=runs/photos cat.jpg --heat_maps=maps --test_scale=512
  find / -name '*.jpg' | tools/predict --saved_model=exported/photos -
  tools/predict --onnx_model=exported/photos_onnx --engine=openvino cat.jpg
  tools/predict --train_dir=runs/photos --serve=/tmp/photos.sock &
  tools/predict --socket=/tmp/photos.sock cat.jpg dog.jpg

Arguments are files, folders, patterns, or - for file names on standard input, one per line. A
folder stands for what the converter would take of it: images by extension or content, at any depth,
links included; the number of other files is shown. The
contract of the checkpoint determines network and preprocessing. The whole image is scored, as
tools/evaluate does with --noflip; --flip does what tools/evaluate does by default if training
flipped images. --views=center scores only the central square, which is faster.

Heat maps show which regions speak for the most probable class: the class score map of the whole
image, which is finer the larger --test_scale is, and Grad-CAM of --layer. TensorBoard shows them
from the same folder.

--serve loads the network once and keeps it; --socket then asks it, without TensorFlow, in a
fraction of a second. What determines the answers is given to the server: the network, --views,
--test_scale, --flip, --batch_size. Only the user who started it can ask.

Predictions are printed and written as soon as they are computed. A file that cannot be read, or
whose prediction is not finite, is reported and skipped; the exit code is then 1.
"""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, BinaryIO

from absl import flags

from vgg_slim import output_files
from vgg_slim.commands import invocation, prediction_rows, progress
from vgg_slim.commands.flags import checkpoint_flags, common_flags, precision_flag
from vgg_slim.data.sources import image_files
from vgg_slim.errors import ConfigError, DataError
from vgg_slim.evaluation import predictions
from vgg_slim.wording import counted, listed, printable

if TYPE_CHECKING:  # NumPy and half of the package, which --socket does without
  from vgg_slim.commands import local_network
  from vgg_slim.evaluation import socket_client

checkpoint_flags.define()
checkpoint_flags.define_weights()
_SAVED_MODEL = flags.DEFINE_string(
  'saved_model',
  None,
  'Folder written by tools/export_model --format=saved_model, as an alternative to a checkpoint.',
)
_ONNX_MODEL = flags.DEFINE_string(
  'onnx_model',
  None,
  'Folder written by tools/export_model --format=onnx, as an alternative to a checkpoint.',
)
_ENGINE = flags.DEFINE_enum(
  'engine',
  None,
  ['tensorflow', 'onnxruntime', 'openvino'],
  'What runs the network. Defaults to tensorflow, or to onnxruntime with --onnx_model, which '
  'starts without TensorFlow.',
)
_VIEWS = flags.DEFINE_enum(
  'views',
  'dense',
  ['dense', 'center'],
  'Part of each image that is scored: all of it (dense) or the central square.',
)
_TEST_SCALE = flags.DEFINE_integer(
  'test_scale',
  None,
  'Smaller side Q that images are resized to, in pixels. Defaults to the one that corresponds to '
  'the training scale.',
  lower_bound=1,
)
_FLIP = flags.DEFINE_bool(
  'flip',
  False,
  'Also score horizontally flipped images, and average.',
)
_TOP = flags.DEFINE_integer('top', 3, 'Number of classes to show per image.', lower_bound=1)
_BATCH_SIZE = flags.DEFINE_integer('batch_size', 16, 'Number of images per batch.', lower_bound=1)
precision_flag.define()
_OUTPUT = flags.DEFINE_string(
  'output', None, 'File for the predictions: .csv or .json. Pipes and devices are given CSV.'
)
_BAR_CHARTS = flags.DEFINE_string('bar_charts', None, 'Folder for a bar chart of each image.')
_GRID = flags.DEFINE_string('grid', None, 'File for a grid of all images and predictions: .png.')
_HEAT_MAPS = flags.DEFINE_string('heat_maps', None, 'Folder for heat maps of each image.')
_LAYER = flags.DEFINE_string(
  'layer',
  None,
  'Layer of Grad-CAM, such as conv4_3. Defaults to the last feature map before the final pool.',
)

_SERVE = flags.DEFINE_string(
  'serve', None, 'Path of a Unix socket at which to answer, instead of predicting images here.'
)
_SOCKET = flags.DEFINE_string(
  'socket', None, 'Socket of a process with --serve that predicts, instead of a network here.'
)

_DRAWINGS = ((_GRID, 'a grid'), (_BAR_CHARTS, 'bar charts'), (_HEAT_MAPS, 'heat maps'))
_OF_CLIENT = ('socket', 'top', 'output')  # flags that go with --socket
_NOT_OF_SERVER = ('top', 'output', 'bar_charts', 'grid', 'heat_maps', 'layer', 'socket')
_MAX_NAMED = 10  # files without a prediction that the message names


def main(arguments: list[str]) -> None:
  """Checks the flags, predicts and reports the files that failed."""
  for flag in (_SERVE, _SOCKET):
    if flag.value == '':
      raise ConfigError(f'--{flag.name} is empty; give the path of a Unix socket.')
  if _SERVE.value:
    _serve(_SERVE.value, arguments)
    return
  paths = image_files.list_files(arguments, _names_on_stdin())
  if not paths:
    raise ConfigError('No images: give files, folders, patterns, or - for names on stdin.')
  if not _SOCKET.value:
    _check_one_exists(paths)
  written = invocation.values_by_flag(_OUTPUT, _GRID)
  folders = invocation.values_by_flag(_BAR_CHARTS, _HEAT_MAPS)
  output_files.check_inputs_stay(paths, written, folders)
  network = _find_network()
  if _GRID.value:
    output_files.check_suffix('--grid', _GRID.value, ['.png'])
  if _OUTPUT.value:
    _output_suffix(_OUTPUT.value)
  output_files.check_outputs(written, folders)
  failures = _write_outputs(paths, network)
  if failures:
    raise _failed(failures, len(paths))


def _write_outputs(
  paths: list[str], network: 'local_network.LocalNetwork | socket_client.ServedNetwork'
) -> list[predictions.Failure]:
  """Completes the predictions before it draws, which may fail; returns the failures.

  Raises:
    DataError: all files failed; no output is written then, so that older ones stay.
  """
  with output_files.open_outputs(invocation.values_by_flag(_GRID)) as grids, network:
    with output_files.open_outputs(invocation.values_by_flag(_OUTPUT)) as streams:
      drawn, failures = _predict(paths, network, streams.get('--output'))
      if len(failures) == len(paths):
        raise _failed(failures, len(paths))
    count = len(paths) - len(failures)
    _say_what_was_written([(_OUTPUT, 'the predictions')], count)
    if drawn:
      _draw(network, drawn, grids.get('--grid'))
  _say_what_was_written(_DRAWINGS, count)
  return failures


def _failed(failures: Sequence[predictions.Failure], total: int) -> DataError:
  reasons = [f'{printable(file)}: {reason}' for file, reason in failures]
  return DataError(
    f'{len(failures)} of {counted(total, "file")} could not be classified: '
    f'{listed(reasons, _MAX_NAMED, "; ")}.'
  )


def _check_one_exists(paths: Sequence[str]) -> None:
  """Raises DataError if there is no file at all, before a network is loaded in vain."""
  failures = []
  for path in paths:
    try:
      os.stat(path)
    except OSError as error:
      failures.append(predictions.Failure(path, error.strerror or str(error)))
    except ValueError:  # a name that no file can have: reported when it is read
      return
    else:
      return
  raise _failed(failures, len(paths))


def _serve(path: str, arguments: list[str]) -> None:
  if arguments:
    raise ConfigError(f'--serve takes no images; ask for them with --socket={path}.')
  if given := _given(lambda name: name in _NOT_OF_SERVER):
    raise ConfigError(f'--serve does not go with {listed(given)}; give them with --socket={path}.')
  _local_network().serve(path)


def _find_network() -> 'local_network.LocalNetwork | socket_client.ServedNetwork':
  if not _SOCKET.value:
    return _local_network()
  if given := _given(lambda name: name not in _OF_CLIENT):
    raise ConfigError(
      f'--socket does not go with {listed(given)}: the process with --serve decides about the '
      'network and what it sees, and drawings need a network here.'
    )
  from vgg_slim.evaluation import socket_client

  return socket_client.ServedNetwork(_SOCKET.value)


def _given(is_meant: Callable[[str], bool]) -> list[str]:
  """Lists the flags of this command that were given, and that are meant."""
  own = common_flags.own_flags_of(sys.modules[__name__])
  return [f'--{flag.name}' for flag in own if flag.present and is_meant(flag.name)]


def _local_network() -> 'local_network.LocalNetwork':
  from vgg_slim.commands import local_network

  options = local_network.Options(
    _ENGINE.value or ('onnxruntime' if _ONNX_MODEL.value else local_network.TENSORFLOW),
    _SAVED_MODEL.value,
    _ONNX_MODEL.value,
    _TEST_SCALE.value,
    _VIEWS.value == 'center',
    _FLIP.value,
    _BATCH_SIZE.value,
    flags.FLAGS.precision,
  )
  drawings = local_network.Drawings(_BAR_CHARTS.value, _HEAT_MAPS.value, _LAYER.value)
  return local_network.LocalNetwork(options, drawings)


def _say_what_was_written(
  outputs: Sequence[tuple[flags.FlagHolder[str | None], str]], count: int
) -> None:
  """Names the outputs of `count` images on stderr, since stdout has the predictions."""
  for flag, what in outputs:
    if flag.value:
      progress.say(f'Wrote {what} of {counted(count, "image")} to {flag.value}.', sys.stderr)


def _predict(
  paths: list[str],
  network: 'local_network.LocalNetwork | socket_client.ServedNetwork',
  output: BinaryIO | None,
) -> tuple[list[predictions.Prediction], list[predictions.Failure]]:
  """Prints and writes the predictions as soon as they are computed.

  Returns:
    The predictions that are to be drawn, and the failures.
  """
  top = min(_TOP.value, network.num_classes or _TOP.value)
  rows = prediction_rows.Printer(paths, network.class_names, top)
  writers = []
  if _OUTPUT.value and output:
    writers = [predictions.WRITERS[_output_suffix(_OUTPUT.value)](output, top)]
  drawn, failures = [], []
  reporter = progress.reporter()
  with _progress(len(paths)) as report:
    for done, answer in enumerate(network.predict_files(paths, top), start=1):
      report(done, len(paths))
      if isinstance(answer, predictions.Failure):
        failures.append(answer)
        continue
      if reporter.is_json:
        classes = [score._asdict() for score in answer.top]
        reporter.event('prediction', file=answer.file, classes=classes)
      else:
        rows.print(answer)
      for writer in writers:
        writer.add(answer)
      if _is_drawing():
        drawn.append(answer)
  for writer in writers:
    writer.finish(failures)
  return drawn, failures


def _draw(
  network: 'local_network.LocalNetwork | socket_client.ServedNetwork',
  answers: Sequence[predictions.Prediction],
  grid: BinaryIO | None,
) -> None:
  from vgg_slim.commands import local_network

  if isinstance(network, local_network.LocalNetwork):  # --socket is refused with drawings
    network.draw(answers, grid)


def _output_suffix(path: str) -> str:
  return output_files.check_suffix('--output', path, predictions.WRITERS, direct='.csv')


def _names_on_stdin() -> Iterator[str]:
  """Yields lines as the file system writes names: bytes that are not UTF-8 are kept."""
  yield from map(os.fsdecode, sys.stdin.buffer)


def _progress(total: int) -> contextlib.AbstractContextManager[progress.ProgressFn]:
  if sys.stdout.isatty():  # a bar would run into the rows, which show the progress themselves
    return contextlib.nullcontext(lambda done, total: None)
  return progress.show('Predicting', total=total)


def _is_drawing() -> bool:
  return bool(_BAR_CHARTS.value or _GRID.value or _HEAT_MAPS.value)


def run() -> None:
  """Entry point of the console command."""
  invocation.run(main)


if __name__ == '__main__':
  run()
