"""HTML report of an evaluation: tables, significance, classes, calibration, confident errors."""

import io
from collections.abc import Callable, Sequence

import numpy as np
import PIL.Image

from vgg_slim.data.conversion import html_report
from vgg_slim.data.conversion.html_report import Cell, Number, Section
from vgg_slim.evaluation import calibration, class_scores, tables
from vgg_slim.evaluation.class_map import ClassMap
from vgg_slim.evaluation.results import Line
from vgg_slim.plotting import confusion, reliability
from vgg_slim.wording import counted

NUM_ERRORS = 24
_MAX_CLASSES = 100  # of more classes, those with the lowest F1 are listed
_ERROR_WIDTH = 144  # CSS pixels
_TEXT_COLUMNS = 4  # of tables.HEADINGS; the others are numbers

ReadImages = Callable[[Sequence[int]], list[tuple[str, bytes]]]


def render_report(
  shown: Sequence[tables.Table],
  comparisons: Sequence[tables.Comparison],
  classes: ClassMap,
  read_images: ReadImages,
) -> str:
  """Renders the report; the sections below the tables describe the last line of the last table.

  Args:
    shown: tables from `tables.make_tables`.
    comparisons: comparisons from `tables.compare`.
    classes: mapping from the classes of the data set to those of the network.
    read_images: function from indices in the split to names and encoded images.

  Returns:
    HTML page with all images embedded.
  """
  line = shown[-1].lines[-1]
  probabilities = line.probabilities()
  sections = [
    _summary(line, classes),
    *(_table(table, len(classes.names)) for table in shown),
    *_comparisons(comparisons),
    _classes(line, classes),
    _confusions(line, classes),
    _calibration(probabilities, line.labels),
    _errors(probabilities, line.labels, classes.names, read_images),
  ]
  return html_report.render(sections, f'{line.result.model} on the {line.result.split} split')


def _summary(line: Line, classes: ClassMap) -> Section:
  result = line.result
  pools = '' if result.pool_rounding == 'floor' else 'Pools round up, as in the paper. '
  return Section(
    'What was scored',
    f'{counted(result.num_images, "image")} of {_count(classes)}, each exactly once in every view. '
    f'Views are averaged as {result.average}, with{"" if result.flip else "out"} horizontal flips. '
    f'{pools}Networks are computed in {result.precision}. S and Q are the smaller sides of '
    'training and test images in pixels; intervals are 95 % Wilson intervals of the errors. '
    'Classes, confusions, '
    f'calibration and errors are those of the last line, {_describe(line)}: {result.checkpoint}.',
  )


def _describe(line: Line) -> str:
  result = line.result
  return f'{result.model}, {result.view}, Q={",".join(map(str, result.test_scales))}'


def _table(table: tables.Table, num_classes: int) -> Section:
  left_out = () if tables.has_top_5(num_classes) else tables.TOP_5_COLUMNS
  columns = [i for i in range(len(tables.HEADINGS)) if i not in left_out]
  rows: list[Sequence[Cell]] = []
  for line in table.lines:
    all_cells = tables.cells(line.result)
    cells = [all_cells[i] for i in columns]
    rows.append((*cells[:_TEXT_COLUMNS], *map(Number, cells[_TEXT_COLUMNS:])))
  title = f"{table.title} (the paper's Table {table.paper})"
  return Section(title, table=html_report.Table([tables.HEADINGS[i] for i in columns], rows))


def _comparisons(comparisons: Sequence[tables.Comparison]) -> list[Section]:
  if not comparisons:
    return []
  text = (
    "McNemar's exact two-sided test on the images that only one of two lines gets right: p is the "
    'probability of a difference at least this large by chance alone. The tests are not corrected '
    'for their number: of twenty tests of equally good networks, one is expected below 0.05.'
  )
  headings = ('first', 'second', 'only first right', 'only second right', 'p')
  rows = [
    (
      *tables.describe(comparison),
      comparison.test.only_first,
      comparison.test.only_second,
      Number(f'{comparison.test.p_value:.3g}'),
    )
    for comparison in comparisons
  ]
  return [Section('Significance of differences', text, html_report.Table(headings, rows))]


def _classes(line: Line, classes: ClassMap) -> Section:
  scores = class_scores.score_classes(line.labels, line.predicted, classes)
  scored = zip(classes.data_names, scores, strict=True)
  worst_first = sorted(scored, key=lambda row: (row[1].num_images == 0, row[1].f1))
  rows = [_class_row(name, score) for name, score in worst_first[:_MAX_CLASSES]]
  left_out = len(scores) - len(rows)
  text = 'Lowest F1 first' + (f'; the other {left_out} are left out.' if left_out else '.')
  headings = ('class', 'precision', 'recall', 'F1', 'images')
  return Section('Classes', text, html_report.Table(headings, rows))


def _class_row(name: str, scores: class_scores.ClassScores) -> tuple[html_report.Cell, ...]:
  if not scores.num_images:
    return name, *[Number('-')] * 3, 0
  fractions = (f'{scores.precision:.2%}', f'{scores.recall:.2%}', f'{scores.f1:.3f}')
  return name, *map(Number, fractions), scores.num_images


def _count(classes: ClassMap) -> str:
  if len(classes.labels) == len(classes.names):
    return counted(len(classes.names), 'class')
  return f"{len(classes.labels)} of the network's {len(classes.names)} classes, matched by name"


def _confusions(line: Line, classes: ClassMap) -> Section:
  if len(classes.labels) > confusion.MAX_CLASSES:
    return Section(
      'Confusions', f'Not drawn: these are more than {confusion.MAX_CLASSES:,} classes.'
    )
  matrix = class_scores.confusion_matrix(line.labels, line.predicted, classes)
  figure = confusion.draw_confusion(matrix, classes.data_names)
  return Section('Confusions', figures=[_embed(figure, 'Images by label and prediction')])


def _calibration(probabilities: np.ndarray, labels: np.ndarray) -> Section:
  bins = calibration.calibrate(probabilities, labels)
  text = (
    f'Expected calibration error (ECE, {len(bins.counts)} bins): {bins.expected_error:.4f}. Bars '
    'below the diagonal mean that the network is overconfident.'
  )
  figure = reliability.draw_reliability(bins.edges, bins.accuracy, bins.confidence, bins.counts)
  return Section('Calibration', text, figures=[_embed(figure, 'Reliability diagram')])


def _errors(
  probabilities: np.ndarray,
  labels: np.ndarray,
  class_names: Sequence[str],
  read_images: ReadImages,
) -> Section:
  wrong = class_scores.most_confident_errors(probabilities, labels, NUM_ERRORS).tolist()
  figures = []
  for index, (name, encoded) in zip(wrong, read_images(wrong), strict=True):
    best = int(np.argmax(probabilities[index]))
    caption = (
      f'{class_names[labels[index]]}, predicted as {class_names[best]} '
      f'({probabilities[index, best]:.1%}): {name}'
    )
    figures.append(html_report.Figure(_thumbnail(encoded), caption, _ERROR_WIDTH))
  text = '' if figures else 'There are none.'
  return Section('Most confident errors', text, figures=figures)


def _embed(figure: confusion.Figure, caption: str) -> html_report.Figure:
  png = io.BytesIO()
  figure.savefig(png, format='png')
  return html_report.Figure(png.getvalue(), caption, round(figure.get_figwidth() * figure.dpi))


def _thumbnail(encoded: bytes) -> bytes:
  """PNG at most twice as wide as it is shown, for high-density screens."""
  image = PIL.Image.open(io.BytesIO(encoded)).convert('RGB')
  image.thumbnail((2 * _ERROR_WIDTH, 2 * _ERROR_WIDTH))
  png = io.BytesIO()
  image.save(png, 'PNG')
  return png.getvalue()
