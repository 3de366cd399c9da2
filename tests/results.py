"""Writes docs/results.md and its curves from docs/results/results.json: `make results`.

    python -m tests.results

The table has one object per run: `Run` and its `Score`s. `tests/results_add.py` adds one.
`tests/results_test.py` compares the table with the curves, and all pages that quote a number with
the table.
"""

import dataclasses
import hashlib
import io
import json
import math
import pathlib
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import PIL.Image
import PIL.PngImagePlugin

from tests import imports, testing
from vgg_slim.evaluation.significance import wilson_interval
from vgg_slim.training import history

PAGE = imports.ROOT / 'docs' / 'results.md'
FOLDER = imports.ROOT / 'docs' / 'results'
TABLE = FOLDER / 'results.json'
# A run whose curve is kept; a number of an earlier run, whose files are gone; not run here.
STATUSES = ('measured', 'earlier', 'published')
BEGIN, END = '<!-- made by `make results` -->', '<!-- end of what `make results` makes -->'
_HASH = 'curve-sha256'  # key in the image, so that a test finds one that is not of its curve


@dataclasses.dataclass(frozen=True)
class Score:
  """Accuracy on one split.

  Attributes:
    split: 'validation' or 'test'.
    how: how the images were scored, for people.
    images: number of images.
    accuracy: fraction that was classified correctly; of several seeds the mean.
    interval: Wilson's 95 % interval of one run's accuracy, and of several seeds the lowest and the
      highest accuracy; see `interval_of`.
    source: what the number is read from: 'best' or 'last' row of the curve, or the name of a file
      of `tools/evaluate --output` in docs/results; None for earlier runs.
  """

  split: str
  how: str
  images: int
  accuracy: float
  interval: tuple[float, float]
  source: str | None = None


@dataclasses.dataclass(frozen=True)
class Other:
  """A number to compare with.

  Attributes:
    value: fraction.
    what: what it is the value of.
    split: 'validation' or 'test' if it is the accuracy on such images, which is shown beside those
      of this project on the same; None for other numbers.
  """

  value: float
  what: str
  split: str | None = None


@dataclasses.dataclass(frozen=True)
class Run:
  """One training run, or for 'published' what somebody else has trained.

  Attributes:
    name: name of its files in docs/results.
    what: what was trained on what, for people.
    status: one of STATUSES.
    scores: accuracies; empty for 'published'.
    published: numbers that others published for it.
    baselines: what another program reached here on the same images.
    recipe: name of the recipe that the run follows.
    tutorial: path in docs/ of the page that describes the run.
    seeds: random seeds.
    seconds: wall time of training, with validation and checkpoints.
    images_per_second: lowest and highest throughput of an epoch's training.
    processor: processor, cores, and what else was running.
    date: day of the run.
    command: commands, one per line.
    curve: name of the file in docs/results with the rows of metrics.csv.
    differs: what differs from the recipe, or from what was published.
  """

  name: str
  what: str
  status: str
  scores: tuple[Score, ...] = ()
  published: tuple[Other, ...] = ()
  baselines: tuple[Other, ...] = ()
  recipe: str | None = None
  tutorial: str | None = None
  seeds: tuple[int, ...] = ()
  seconds: float | None = None
  images_per_second: tuple[float, float] | None = None
  processor: str | None = None
  date: str | None = None
  command: str | None = None
  curve: str | None = None
  differs: str | None = None

  def values(self) -> list[float]:
    """All fractions that a page about this run may quote."""
    ends = [end for score in self.scores for end in score.interval]
    others = [other.value for other in (*self.published, *self.baselines)]
    return [*(score.accuracy for score in self.scores), *ends, *others]


def read_runs(path: pathlib.Path = TABLE) -> list[Run]:
  """Reads the table."""
  return [_parse(each) for each in json.loads(path.read_text(encoding='utf-8'))]


def write_runs(runs: Iterable[Run], path: pathlib.Path = TABLE) -> None:
  """Writes the table; fields that have their default are left out."""

  def given(fields: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: value for name, value in fields if value not in (None, ())}

  objects = [dataclasses.asdict(run, dict_factory=given) for run in runs]
  path.write_text(json.dumps(objects, indent=2, ensure_ascii=False) + '\n', encoding='utf-8')


def _parse(values: dict[str, Any]) -> Run:
  scores = [Score(**{**s, 'interval': tuple(s['interval'])}) for s in values.pop('scores', ())]
  others = {
    key: tuple(Other(**each) for each in values.pop(key, ())) for key in ('published', 'baselines')
  }
  lists = {key: tuple(value) for key, value in values.items() if isinstance(value, list)}
  return Run(**{**values, **lists, **others}, scores=tuple(scores))


def interval_of(accuracy: float, images: int) -> tuple[float, float]:
  """Wilson's 95 % interval of an accuracy, rounded to 0.01 %."""
  low, high = wilson_interval(round((1 - accuracy) * images), images)
  return round(1 - high, 4), round(1 - low, 4)


def read_curve(run: Run, folder: pathlib.Path = FOLDER) -> list[history.EpochMetrics]:
  """Returns the rows of the curve of a run, in order."""
  assert run.curve is not None
  with tempfile.TemporaryDirectory() as train_dir:
    copy = pathlib.Path(train_dir, history.METRICS_FILE)
    copy.write_bytes((folder / run.curve).read_bytes())
    return history.read_history(train_dir)


def accuracy_in(rows: Sequence[history.EpochMetrics], source: str) -> float:
  """The validation accuracy of the 'best' or the 'last' row of a curve."""
  values = [row.validation_accuracy for row in rows if row.validation_accuracy is not None]
  return max(values) if source == 'best' else values[-1]


def draw(run: Run, folder: pathlib.Path = FOLDER) -> pathlib.Path:
  """Draws the curve of a run with `tools/plot`; returns the image, which names its curve's hash."""
  assert run.curve is not None
  curve = (folder / run.curve).read_bytes()
  with tempfile.TemporaryDirectory() as parent:
    train_dir = pathlib.Path(parent, run.name)
    train_dir.mkdir()
    (train_dir / history.METRICS_FILE).write_bytes(curve)
    drawn = train_dir / 'history.png'
    arguments = ('--what=history', f'--train_dir={train_dir}', f'--output={drawn}', '--quiet')
    assert testing.run_command('plot', *arguments) == 0
    texts = PIL.PngImagePlugin.PngInfo()
    texts.add_text(_HASH, hashlib.sha256(curve).hexdigest())
    path = image_of(run, folder)
    with PIL.Image.open(drawn) as image:
      # 256 colors are enough for curves, and a third of the bytes.
      image.convert('RGB').quantize(256).save(path, optimize=True, pnginfo=texts)
  return path


def image_of(run: Run, folder: pathlib.Path = FOLDER) -> pathlib.Path:
  """Path of the image of a run's curve."""
  assert run.curve is not None
  return (folder / run.curve).with_suffix('.png')


def is_drawn(run: Run, folder: pathlib.Path = FOLDER) -> bool:
  """Whether the image of a run exists and shows its curve as it is."""
  assert run.curve is not None
  path = image_of(run, folder)
  if not path.is_file():
    return False
  with PIL.Image.open(io.BytesIO(path.read_bytes())) as image:
    drawn = image.info.get(_HASH)
  return drawn == hashlib.sha256((folder / run.curve).read_bytes()).hexdigest()


def percent(fraction: float) -> str:
  """Formats a fraction like '98.89 %' or '85 %', with up to two digits after the point."""
  return f'{round(100 * fraction, 2):.4g} %'


def as_recorded(fractions: Sequence[float]) -> str:
  """Formats fractions like '97.3 to 97.4', in percent, with no more digits than the table has.

  Accuracies of earlier runs were recorded as percentages with one digit after the point.
  """
  digits = max(len(repr(fraction).partition('.')[2]) for fraction in fractions) - 2
  return ' to '.join(f'{100 * fraction:.{max(digits, 0)}f}' for fraction in fractions)


def duration(seconds: float) -> str:
  """Formats a duration like '12 s', '4.5 min' or '1234 min'."""
  value, unit = (seconds, 's') if seconds < 600 and seconds % 30 else (seconds / 60, 'min')
  return f'{value:.3g} {unit}' if value < 1000 else f'{value:.0f} {unit}'


def made_part(runs: Sequence[Run]) -> str:
  """Returns what is between BEGIN and END on the page."""
  return '\n'.join([BEGIN, '', *_sections(runs), END])


def page(text: str, runs: Sequence[Run]) -> str:
  """Returns `text`, the page as it is, with the part between BEGIN and END made from `runs`."""
  before, _, rest = text.partition(BEGIN)
  _, _, after = rest.partition(END)
  return before + made_part(runs) + after


def _sections(runs: Sequence[Run]) -> Iterator[str]:
  measured, earlier, published = ([r for r in runs if r.status == s] for s in STATUSES)
  if measured:
    yield '## Measured\n'
    yield from _described(measured)
  if earlier:
    yield '## Earlier runs\n'
    yield 'Their curves were not kept, so nothing but these numbers is left to check them with.\n'
    without = sum(run.command is None for run in earlier)
    yield f'{without} of these {len(earlier)} runs have no command either.\n'
    yield from _described(earlier)
  if published:
    yield '## Published elsewhere, not run here\n'
    yield '| recipe | published | value |\n|---|---|---:|'
    for run in published:
      for each in run.published:
        yield f'| `{run.recipe}` | {run.what}: {each.what} | {percent(each.value)} |'
    yield ''


def _described(runs: Sequence[Run]) -> Iterator[str]:
  yield from _table(runs)
  for run in runs:
    yield from _details(run)


def _table(runs: Sequence[Run]) -> Iterator[str]:
  yield '| run | scored on | accuracy | 95 % interval | published | training |'
  yield '|---|---|---:|---:|---:|---:|'
  for run in runs:
    seconds = '' if run.seconds is None else duration(run.seconds)
    for score in run.scores:
      if len(run.seeds) > 1:
        bounds = f'{len(run.seeds)} seeds: {as_recorded(score.interval)}'
      else:
        bounds = ' to '.join(f'{100 * bound:.2f}' for bound in score.interval)
      images = f'{score.images:,} {score.split} images, {score.how}'
      alike = (each for each in run.published if each.split == score.split)
      published = ', '.join(percent(each.value) for each in alike)
      name = f'[{run.name}](#{run.name})'
      cells = (name, images, percent(score.accuracy), bounds, published, seconds)
      yield f'| {" | ".join(cells)} |'
  yield ''


def _details(run: Run) -> Iterator[str]:
  yield f'### {run.name}\n'
  yield ' '.join(_sentences(run)) + '\n'
  if run.command:
    yield f'```sh\n{run.command}\n```\n'
  if run.curve:
    yield f'![Loss and accuracy of {run.name}](results/{image_of(run).name})\n'


def _sentences(run: Run) -> Iterator[str]:
  seeds = ', '.join(map(str, run.seeds))
  many = 's' if len(run.seeds) > 1 else ''
  yield f'{run.what}{f"; seed{many} {seeds}" if seeds else ""}.'
  if run.tutorial:
    yield f'[Tutorial]({run.tutorial}).'
  for each in run.published:
    yield f'Published: {percent(each.value)} ({each.what}).'
  for each in run.baselines:
    yield f'To compare: {percent(each.value)} ({each.what}).'
  if run.differs:
    yield f'Differs: {run.differs}.'
  if run.processor:
    yield f'{run.processor}, {run.date}.'
  if run.images_per_second:
    low, high = (f'{rate:,.0f}' for rate in run.images_per_second)
    yield f'{low} to {high} images/s.' if low != high else f'{low} images/s.'
  if run.curve:
    yield f'Rows of the curve: [{run.curve}](results/{run.curve}).'


def is_quote_of(text: str, value: float) -> bool:
  """Whether `text`, a percentage without its sign, is `value` rounded to as many digits."""
  digits = len(text.partition('.')[2])
  return math.isclose(float(text), 100 * value, abs_tol=0.5000001 * 10**-digits)


def main() -> None:
  runs = read_runs()
  for run in runs:
    if run.curve and not is_drawn(run):
      print(draw(run).relative_to(imports.ROOT))
  PAGE.write_text(page(PAGE.read_text(encoding='utf-8'), runs), encoding='utf-8')
  print(PAGE.relative_to(imports.ROOT))


if __name__ == '__main__':
  main()
