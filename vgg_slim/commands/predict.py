"""Classifies images: prints the most probable classes of each, with percentages.

  tools/predict --train_dir=runs/photos cat.jpg dog.jpg
  tools/predict --train_dir=runs/photos holiday/ 'archive/**/*.png' --top=5 --output=answers.csv
  tools/predict --weights=imagenet photos/ --bar_charts=charts --grid=grid.png
  tools/predict --train_dir=runs/photos cat.jpg --heat_maps=maps --test_scale=512
  find / -name '*.jpg' | tools/predict --saved_model=exported/photos -

Arguments are files, folders, patterns, or - for file names on standard input, one per line. A
folder stands for what the converter would take of it: images by extension or content, at any depth,
links included; the number of other files is shown. The
contract of the checkpoint determines network and preprocessing. The whole image is scored, as
tools/evaluate does with --noflip; --flip does what tools/evaluate does by default if training
flipped images. --views=center scores only the central square, which is faster.

Heat maps show which regions speak for the most probable class: the class score map of the whole
image, which is finer the larger --test_scale is, and Grad-CAM of --layer. TensorBoard shows them
from the same folder.

Predictions are printed and written as soon as they are computed. A file that cannot be read, or
whose prediction is not finite, is reported and skipped; the exit code is then 1.
"""

import contextlib
import os
import pathlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

from absl import flags

from vgg_slim import output_files
from vgg_slim.checkpoints import contract
from vgg_slim.commands import invocation, prediction_rows, progress
from vgg_slim.commands.flags import checkpoint_flags
from vgg_slim.data.sources import image_files
from vgg_slim.errors import ConfigError, DataError
from vgg_slim.evaluation import predictions, views
from vgg_slim.nets import geometry, specs
from vgg_slim.wording import counted, listed, printable

if TYPE_CHECKING:  # imports TensorFlow, which is only loaded after the checks
  from vgg_slim.evaluation import predictor

checkpoint_flags.define()
checkpoint_flags.define_weights()
_SAVED_MODEL = flags.DEFINE_string(
  'saved_model',
  None,
  'Folder written by tools/export_model --format=saved_model, as an alternative to a checkpoint.',
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

_SOURCES = ('train_dir', 'checkpoint_path', 'weights', 'saved_model')
_MAX_NAMED = 10  # files without a prediction that the message names


def main(arguments: list[str]) -> None:
  """Checks the flags, predicts and reports the files that failed."""
  paths = image_files.list_files(arguments, _names_on_stdin())
  if not paths:
    raise ConfigError('No images: give files, folders, patterns, or - for names on stdin.')
  made_for = _load_contract()
  if _LAYER.value:
    geometry.find_layer(specs.get(made_for.network.model), _LAYER.value)
  if _TEST_SCALE.value:
    views.check_test_scales([_TEST_SCALE.value], made_for.network.image_size)
  if _GRID.value:
    output_files.check_suffix('--grid', _GRID.value, ['.png'])
  if _OUTPUT.value:
    _output_suffix(_OUTPUT.value)
  written = invocation.values_by_flag(_OUTPUT, _GRID)
  folders = invocation.values_by_flag(_BAR_CHARTS, _HEAT_MAPS)
  with output_files.open_outputs(written, folders) as streams:
    failures = _predict(paths, made_for, streams)
  _say_what_was_written(len(paths) - len(failures))
  if failures:
    reasons = [f'{printable(file)}: {reason}' for file, reason in failures]
    raise DataError(
      f'{len(failures)} of {counted(len(paths), "file")} could not be classified: '
      f'{listed(reasons, _MAX_NAMED, "; ")}.'
    )


def _say_what_was_written(count: int) -> None:
  """Names the outputs on stderr, since stdout has the predictions."""
  for flag, what in (
    (_OUTPUT, 'the predictions'),
    (_GRID, 'a grid'),
    (_BAR_CHARTS, 'bar charts'),
    (_HEAT_MAPS, 'heat maps'),
  ):
    if flag.value and count:
      progress.say(f'Wrote {what} of {counted(count, "image")} to {flag.value}.', sys.stderr)


def _predict(
  paths: list[str], made_for: contract.Contract, streams: dict[str, BinaryIO]
) -> list[predictions.Failure]:
  """Prints and writes the predictions as soon as they are computed; returns the failures."""
  invocation.load_tensorflow()
  from vgg_slim.evaluation import predictor

  kind: type[predictor.Predictor]
  if _SAVED_MODEL.value:
    kind, source = predictor.SavedModelPredictor, _SAVED_MODEL.value
  else:
    kind, source = predictor.CheckpointPredictor, checkpoint_flags.resolve(checkpoint_flags.path())
  view = predictor.View(_TEST_SCALE.value, _VIEWS.value == 'center', _FLIP.value)
  top = min(_TOP.value, made_for.network.num_classes or _TOP.value)
  rows = prediction_rows.Printer(paths, made_for.class_names or (), top)
  writers = []
  if _OUTPUT.value:
    writers = [predictions.WRITERS[_output_suffix(_OUTPUT.value)](streams['--output'], top)]
  drawn, failures = [], []
  reporter = progress.reporter()
  with kind(source, made_for, view) as network:
    with _progress(len(paths)) as report:
      answers = predictor.predict_files(network, paths, top, _BATCH_SIZE.value)
      for done, answer in enumerate(answers, start=1):
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
    if drawn:
      _draw(drawn, network, made_for, streams.get('--grid'))
  return failures


def _output_suffix(path: str) -> str:
  return output_files.check_suffix('--output', path, predictions.WRITERS, direct='.csv')


def _names_on_stdin() -> Iterator[str]:
  """Yields lines as the file system writes names: bytes that are not UTF-8 are kept."""
  yield from map(os.fsdecode, sys.stdin.buffer)


def _progress(total: int) -> contextlib.AbstractContextManager[progress.ProgressFn]:
  if sys.stdout.isatty():  # a bar would run into the rows, which show the progress themselves
    return contextlib.nullcontext(lambda done, total: None)
  return progress.show('Predicting', total=total)


def _load_contract() -> contract.Contract:
  """Returns the contract of the checkpoint, in a folder the newest one by name, or SavedModel."""
  given = [name for name in _SOURCES if flags.FLAGS[name].value]
  if len(given) != 1:
    raise ConfigError(f'Give exactly one of --{", --".join(_SOURCES)}.')
  if not _SAVED_MODEL.value:
    return contract.load_contract(checkpoint_flags.path())[1]
  if _HEAT_MAPS.value:
    raise ConfigError('--heat_maps needs the layers of a checkpoint, which a SavedModel lacks.')
  path = pathlib.Path(_SAVED_MODEL.value, contract.SAVED_MODEL_EXTRAS, contract.EXPORTED_FILE)
  return contract.read_contract(path)


def _is_drawing() -> bool:
  return bool(_BAR_CHARTS.value or _GRID.value or _HEAT_MAPS.value)


def _draw(
  answers: list[predictions.Prediction],
  network: 'predictor.Predictor',
  made_for: contract.Contract,
  grid: BinaryIO | None,
) -> None:
  from vgg_slim.evaluation import prediction_images, predictor

  if _BAR_CHARTS.value:
    prediction_images.write_bar_charts(pathlib.Path(_BAR_CHARTS.value), answers)
  if grid:
    prediction_images.write_grid(grid, answers)
  # --saved_model is refused with --heat_maps.
  if _HEAT_MAPS.value and isinstance(network, predictor.CheckpointPredictor):
    prediction_images.write_heat_maps(
      pathlib.Path(_HEAT_MAPS.value), answers, network, made_for, _LAYER.value
    )


def run() -> None:
  """Entry point of the console command."""
  invocation.run(main)


if __name__ == '__main__':
  run()
