"""Says what is on pictures: the most probable classes of each, with percentages.

  tools/predict --train_dir=runs/photos cat.jpg dog.jpg
  tools/predict --train_dir=runs/photos holiday/ 'archive/**/*.png' --top=5 --output=answers.csv
  tools/predict --checkpoint_path=weights/vgg16 photos/ --bar_charts=charts --grid=grid.png
  tools/predict --train_dir=runs/photos cat.jpg --heat_maps=maps --test_scale=512
  find / -name '*.jpg' | tools/predict --saved_model=exported/photos -

Arguments are files, folders, patterns, or - for names on standard input, one a line. Network and
preprocessing come from the checkpoint's contract. The whole picture is scored, as tools/evaluate
does it; --views=center scores the central square alone, which is faster.

Heat maps show what speaks for the most probable class: the class score map of the whole picture,
finer the larger --test_scale, and Grad-CAM of --layer. TensorBoard shows them from the same folder.

A file that cannot be read is named and passed over; the exit code is then 1.
"""

import pathlib
import sys
from typing import TYPE_CHECKING

from absl import flags
from rich import box, console, table

from tools import checkpoint_flags, invocation, progress
from vgg_slim import files
from vgg_slim.data import picture_files
from vgg_slim.errors import ConfigError, DataError
from vgg_slim.evaluation import predictions
from vgg_slim.nets import geometry, specs
from vgg_slim.weights import contract

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
_FLIP = flags.DEFINE_bool('flip', False, 'Average in the mirror image.')
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
_WIDTH_OF_FILES = 160


def main(arguments: list[str]) -> None:
  """Wires files, the network and what is written together."""
  paths = picture_files.list_files(arguments, sys.stdin)
  if not paths:
    raise ConfigError('no pictures: give files, folders, patterns, or - for names on stdin.')
  source, made_for = _load_contract()
  output_format = _OUTPUT.value and predictions.find_format(_OUTPUT.value)
  if _GRID.value and not _GRID.value.endswith('.png'):
    raise ConfigError(f'--grid={_GRID.value} must end in .png.')
  if _LAYER.value:
    geometry.find_layer(specs.get(made_for.model), _LAYER.value)

  invocation.load_tensorflow()
  from vgg_slim.evaluation import predictor

  kind = predictor.SavedModelPredictor if _SAVED_MODEL.value else predictor.CheckpointPredictor
  view = predictor.View(_TEST_SCALE.value, _VIEWS.value == 'center', _FLIP.value)
  with kind(source, made_for, view) as network:
    with progress.show('Predicting', 'pictures') as report:
      found, unreadable = predictor.predict_files(network, paths, _BATCH_SIZE.value, report)
    answers = [
      predictions.Prediction(
        path, predictions.top_classes(found[path], made_for.class_names, _TOP.value)
      )
      for path in paths
      if path in found
    ]
    _print(answers)
    try:
      if output_format == 'csv':
        files.write_text(pathlib.Path(_OUTPUT.value), predictions.to_csv(answers))
      elif output_format == 'json':
        files.write_text(pathlib.Path(_OUTPUT.value), predictions.to_json(answers, unreadable))
      _draw(answers, network, made_for)
    except OSError as error:
      raise ConfigError(f'{error.filename} cannot be written: {error.strerror}.') from error
  if unreadable:
    reasons = '; '.join(f'{path}: {reason}' for path, reason in unreadable.items())
    raise DataError(f'{len(unreadable)} of {len(paths)} files could not be read: {reasons}.')


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


def _draw(
  answers: list[predictions.Prediction],
  network: 'predictor.CheckpointPredictor',
  made_for: contract.Contract,
) -> None:
  if not answers or not (_BAR_CHARTS.value or _GRID.value or _HEAT_MAPS.value):
    return
  from vgg_slim.evaluation import prediction_pictures

  if _BAR_CHARTS.value:
    prediction_pictures.write_bar_charts(pathlib.Path(_BAR_CHARTS.value), answers)
  if _GRID.value:
    prediction_pictures.write_grid(pathlib.Path(_GRID.value), answers)
  if _HEAT_MAPS.value:
    prediction_pictures.write_heat_maps(
      pathlib.Path(_HEAT_MAPS.value), answers, network, made_for, _LAYER.value
    )


def _print(answers: list[predictions.Prediction]) -> None:
  rows = table.Table(box=box.SIMPLE)
  rows.add_column('picture', overflow='fold')
  for place in range(1, 1 + max((len(answer.top) for answer in answers), default=0)):
    rows.add_column(f'class {place}', overflow='fold')
    rows.add_column('%', justify='right')
  for file, top in answers:
    rows.add_row(file, *(cell for s in top for cell in (s.class_name, f'{s.probability:.1%}')))
  # In a file or a pipe no line is cut or wrapped.
  width = None if sys.stdout.isatty() else _WIDTH_OF_FILES
  console.Console(width=width, highlight=False, markup=False).print(rows)


def run() -> None:
  """The console command."""
  invocation.run(main)


if __name__ == '__main__':
  run()
