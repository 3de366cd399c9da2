"""An evaluation as one web page: tables, tests, classes, calibration, the worst mistakes."""

import io
from collections.abc import Callable, Sequence

import numpy as np
import PIL.Image

from vgg_slim.data.conversion import html_report
from vgg_slim.data.conversion.html_report import Number, Section
from vgg_slim.evaluation import calibration, class_scores, tables
from vgg_slim.evaluation.class_map import ClassMap
from vgg_slim.evaluation.results import Line
from vgg_slim.plotting import confusion, reliability

NUM_ERRORS = 24
_MOST_CLASSES = 100  # a longer list is cut to the worst
_ERROR_WIDTH = 144  # pixels, on the page
_TEXT_COLUMNS = 4  # of HEADINGS; the others are numbers

ReadPictures = Callable[[Sequence[int]], list[tuple[str, bytes]]]


def render_report(
  shown: Sequence[tables.Table],
  comparisons: Sequence[tables.Comparison],
  classes: ClassMap,
  read_pictures: ReadPictures,
) -> str:
  """Writes the page; all below the tables is about their last line.

  Args:
    shown: from `tables.make_tables`.
    comparisons: from `tables.compare`.
    classes: of the network, and which of them the data set has.
    read_pictures: from places in the split to names and encoded pictures.

  Returns:
    HTML with every picture in it.
  """
  line = shown[-1].lines[-1]
  probabilities = line.probabilities()
  sections = [
    _summary(line, classes),
    *(_table(table) for table in shown),
    *_comparisons(comparisons),
    _classes(line, classes),
    _confusions(line, classes),
    _calibration(probabilities, line.labels),
    _errors(probabilities, line.labels, classes.names, read_pictures),
  ]
  return html_report.render(sections, f'{line.result.model} on the {line.result.split} split')


def _summary(line: Line, classes: ClassMap) -> Section:
  result = line.result
  pools = '' if result.pool_rounding == 'floor' else 'Pools round up, as in the paper. '
  return Section(
    'What was scored',
    f'{result.num_images} images of {_count(classes)}, each exactly once in every view. '
    f'Views are averaged as {result.average}, with{"" if result.flip else "out"} mirror images. '
    f'{pools}S and Q are the smallest sides of training and test pictures in pixels; "fed" is how '
    "many views of a picture were scored; intervals are Wilson's at 95 %. Classes, confusions, "
    f'calibration and errors are those of the last line, {_describe(line)}: {result.checkpoint}.',
  )


def _describe(line: Line) -> str:
  result = line.result
  return f'{result.model}, {result.view}, Q={",".join(map(str, result.test_scales))}'


def _table(table: tables.Table) -> Section:
  rows = []
  for line in table.lines:
    cells = tables.cells(line.result)
    rows.append((*cells[:_TEXT_COLUMNS], *map(Number, cells[_TEXT_COLUMNS:])))
  title = f"{table.title} (the paper's Table {table.paper})"
  return Section(title, table=html_report.Table(tables.HEADINGS, rows))


def _comparisons(comparisons: Sequence[tables.Comparison]) -> list[Section]:
  if not comparisons:
    return []
  text = (
    "McNemar's exact two-sided test on the pictures where two lines differ: p is how often chance "
    'alone would part them as far. Each test stands for itself: of twenty between equals, one '
    'falls below 0.05.'
  )
  heads = ('first', 'second', 'only first right', 'only second right', 'p')
  rows = [
    (
      *tables.describe(one),
      one.test.only_first,
      one.test.only_second,
      Number(f'{one.test.p_value:.3g}'),
    )
    for one in comparisons
  ]
  return [Section('Which differences are more than chance', text, html_report.Table(heads, rows))]


def _classes(line: Line, classes: ClassMap) -> Section:
  scores = class_scores.score_classes(line.labels, line.predicted, classes)
  rated = zip(classes.data_names, scores, strict=True)
  worst_first = sorted(rated, key=lambda row: (row[1].num_images == 0, row[1].f1))
  rows = [_class_row(name, one) for name, one in worst_first[:_MOST_CLASSES]]
  left_out = len(scores) - len(rows)
  text = 'The worst first' + (f'; the other {left_out} are left out.' if left_out else '.')
  heads = ('class', 'precision', 'recall', 'F1', 'images')
  return Section('Classes', text, html_report.Table(heads, rows))


def _class_row(name: str, scores: class_scores.ClassScores) -> tuple[html_report.Cell, ...]:
  if not scores.num_images:
    return name, *[Number('-')] * 3, 0
  fractions = (f'{scores.precision:.2%}', f'{scores.recall:.2%}', f'{scores.f1:.3f}')
  return name, *map(Number, fractions), scores.num_images


def _count(classes: ClassMap) -> str:
  if len(classes.labels) == len(classes.names):
    return f'{len(classes.names)} classes'
  return f"{len(classes.labels)} of the network's {len(classes.names)} classes, found by name"


def _confusions(line: Line, classes: ClassMap) -> Section:
  matrix = class_scores.confusion_matrix(line.labels, line.predicted, classes)
  figure = confusion.draw_confusion(matrix, classes.data_names)
  return Section('Confusions', pictures=[_picture(figure, 'Images by label and prediction')])


def _calibration(probabilities: np.ndarray, labels: np.ndarray) -> Section:
  bins = calibration.calibrate(probabilities, labels)
  text = (
    f'Expected calibration error (ECE, {len(bins.counts)} bins): {bins.expected_error:.4f}. Bars '
    'below the diagonal stand for pictures that the network is too sure of.'
  )
  figure = reliability.draw_reliability(bins.edges, bins.accuracy, bins.confidence, bins.counts)
  return Section('Calibration', text, pictures=[_picture(figure, 'Reliability diagram')])


def _errors(
  probabilities: np.ndarray,
  labels: np.ndarray,
  class_names: Sequence[str],
  read_pictures: ReadPictures,
) -> Section:
  wrong = class_scores.most_confident_errors(probabilities, labels, NUM_ERRORS)
  pictures = []
  for index, (name, encoded) in zip(wrong, read_pictures(wrong), strict=True):
    best = int(np.argmax(probabilities[index]))
    caption = (
      f'{class_names[labels[index]]}, taken for {class_names[best]} '
      f'({probabilities[index, best]:.1%}): {name}'
    )
    pictures.append(html_report.Figure(_thumbnail(encoded), caption, _ERROR_WIDTH))
  text = '' if pictures else 'There is none.'
  return Section('Most confident errors', text, pictures=pictures)


def _picture(figure: confusion.Figure, caption: str) -> html_report.Figure:
  png = io.BytesIO()
  figure.savefig(png, format='png')
  return html_report.Figure(png.getvalue(), caption, round(figure.get_figwidth() * figure.dpi))


def _thumbnail(encoded: bytes) -> bytes:
  """PNG of a picture, at most twice as large as it is shown: for dense screens."""
  image = PIL.Image.open(io.BytesIO(encoded)).convert('RGB')
  image.thumbnail((2 * _ERROR_WIDTH, 2 * _ERROR_WIDTH))
  png = io.BytesIO()
  image.save(png, 'PNG')
  return png.getvalue()
