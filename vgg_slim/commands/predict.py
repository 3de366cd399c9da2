"""Says what is on pictures: the most probable classes of each, with percentages.

  tools/predict --train_dir=runs/photos cat.jpg dog.jpg
  tools/predict --train_dir=runs/photos holiday/ 'archive/**/*.png' --top=5 --output=answers.csv
  tools/predict --checkpoint_path=weights/vgg16 photos/ --bar_charts=charts --grid=grid.png
  tools/predict --train_dir=runs/photos cat.jpg --heat_maps=maps --test_scale=512
  find / -name '*.jpg' | tools/predict --saved_model=exported/photos -

Arguments are files, folders, patterns, or - for names on standard input, one a line. Network and
preprocessing come from the checkpoint's contract. The whole image is scored, as tools/evaluate does
it with --noflip; with --flip as it does by default where training mirrored images. --views=center
scores the central square alone, which is faster.

Heat maps show what speaks for the most probable class: the class score map of the whole picture,
finer the larger --test_scale, and Grad-CAM of --layer. TensorBoard shows them from the same folder.

Answers are printed and written as they come. A file that cannot be read, or whose answer is not
finite, is named and passed over; the exit code is then 1.
"""

import contextlib
import pathlib
import sys
from typing import TYPE_CHECKING, BinaryIO

from absl import flags

from vgg_slim import output_files
from vgg_slim.checkpoints import contract
from vgg_slim.commands import invocation, prediction_rows, progress
from vgg_slim.commands.flags import checkpoint_flags
from vgg_slim.data.sources import image_files
from vgg_slim.errors import ConfigError, DataError
from vgg_slim.evaluation import predictions
from vgg_slim.nets import geometry, specs

if TYPE_CHECKING:  # the import itself waits until TensorFlow is needed
  from vgg_slim.evaluation import predictor

checkpoint_flags.define()
_SAVED_MODEL = flags.DEFINE_string(
  'saved_model', None, 'Folder of tools/export_model --format=saved_model, in their place.'
)
_VIEWS = flags.DEFINE_enum('views', 'dense', ['dense', 'center'], 'What is scored of a picture.')
_TEST_SCALE = flags.DEFINE_integer(
  'test_scale', None, 'Smaller side Q in pixels. By default as in training.', lower_bound=1
)
_FLIP = flags.DEFINE_bool(
  'flip',
  False,
  'Average each image with its mirror image, as tools/evaluate does where training mirrored.',
)
_TOP = flags.DEFINE_integer('top', 3, 'Classes shown of each picture.', lower_bound=1)
_BATCH_SIZE = flags.DEFINE_integer('batch_size', 16, 'Pictures at once.', lower_bound=1)
_OUTPUT = flags.DEFINE_string('output', None, 'Write the answers to this .csv or .json file, too.')
_BAR_CHARTS = flags.DEFINE_string('bar_charts', None, 'Folder for a bar chart of each picture.')
_GRID = flags.DEFINE_string('grid', None, 'Draw all pictures with their answers into this .png.')
_HEAT_MAPS = flags.DEFINE_string('heat_maps', None, 'Folder for heat maps of each picture.')
_LAYER = flags.DEFINE_string(
  'layer', None, 'Layer of Grad-CAM, such as conv4_3. By default the last before the head.'
)

_SOURCES = ('train_dir', 'checkpoint_path', 'saved_model')
_NAMED = 10  # files without an answer, in the message


def main(arguments: list[str]) -> None:
  """Wires files, the network and what is written together."""
  paths = image_files.list_files(arguments, sys.stdin)
  if not paths:
    raise ConfigError('no images: give files, folders, patterns, or - for names on stdin.')
  source, made_for = _load_contract()
  if _LAYER.value:
    geometry.find_layer(specs.get(made_for.model), _LAYER.value)
  if _GRID.value:
    output_files.check_suffix('--grid', _GRID.value, ['.png'])
  if _OUTPUT.value:
    output_files.check_suffix('--output', _OUTPUT.value, predictions.WRITERS)
  written = invocation.values_by_flag(_OUTPUT, _GRID)
  folders = invocation.values_by_flag(_BAR_CHARTS, _HEAT_MAPS)
  with output_files.open_outputs(written, folders) as streams:
    failures = _predict(paths, source, made_for, streams)
  if failures:
    more = f'; and {len(failures) - _NAMED} more' if len(failures) > _NAMED else ''
    reasons = '; '.join(f'{file}: {reason}' for file, reason in failures[:_NAMED])
    raise DataError(f'{len(failures)} of {len(paths)} files have no answer: {reasons}{more}.')


def _predict(
  paths: list[str], source: str, made_for: contract.Contract, streams: dict[str, BinaryIO]
) -> list[predictions.Failure]:
  """Prints and writes the answers as they come."""
  invocation.load_tensorflow()
  from vgg_slim.evaluation import predictor

  kind = predictor.SavedModelPredictor if _SAVED_MODEL.value else predictor.CheckpointPredictor
  view = predictor.View(_TEST_SCALE.value, _VIEWS.value == 'center', _FLIP.value)
  top = min(_TOP.value, made_for.num_classes or _TOP.value)
  rows = prediction_rows.Printer(paths, made_for.class_names or (), top)
  writers = []
  if stream := streams.get('--output'):
    suffix = output_files.check_suffix('--output', _OUTPUT.value, predictions.WRITERS)
    writers = [predictions.WRITERS[suffix](stream, top)]
  drawn, failures = [], []
  with kind(source, made_for, view) as network:
    with _progress() as report:
      answers = predictor.predict_files(network, paths, top, _BATCH_SIZE.value)
      for done, answer in enumerate(answers, start=1):
        report(done, len(paths))
        if isinstance(answer, predictions.Failure):
          failures.append(answer)
          continue
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


def _progress() -> contextlib.AbstractContextManager[progress.ProgressFn]:
  if sys.stdout.isatty():  # where the rows themselves show it, and a bar would run into them
    return contextlib.nullcontext(lambda done, total: None)
  return progress.show('Predicting')


def _load_contract() -> tuple[str, contract.Contract]:
  """Where the network is, and its contract."""
  given = [name for name in _SOURCES if flags.FLAGS[name].value]
  if len(given) != 1:
    raise ConfigError(f'give one of --{", --".join(_SOURCES)}.')
  if not _SAVED_MODEL.value:
    return checkpoint_flags.load_contract()
  if _HEAT_MAPS.value:
    raise ConfigError('--heat_maps: a SavedModel has no layers to look at; give its checkpoint.')
  path = pathlib.Path(_SAVED_MODEL.value, contract.SAVED_MODEL_EXTRAS, contract.EXPORTED_FILE)
  return _SAVED_MODEL.value, contract.read_contract(path)


def _is_drawing() -> bool:
  return bool(_BAR_CHARTS.value or _GRID.value or _HEAT_MAPS.value)


def _draw(
  answers: list[predictions.Prediction],
  network: 'predictor.CheckpointPredictor',
  made_for: contract.Contract,
  grid: BinaryIO | None,
) -> None:
  from vgg_slim.evaluation import prediction_pictures

  if _BAR_CHARTS.value:
    prediction_pictures.write_bar_charts(pathlib.Path(_BAR_CHARTS.value), answers)
  if grid:
    prediction_pictures.write_grid(grid, answers)
  if _HEAT_MAPS.value:
    prediction_pictures.write_heat_maps(
      pathlib.Path(_HEAT_MAPS.value), answers, network, made_for, _LAYER.value
    )


def run() -> None:
  """The console command."""
  invocation.run(main)


if __name__ == '__main__':
  run()
