"""What a conversion found, beside the shards, for people. No TensorFlow.

`report.html` (one file, pictures inside) always; `quarantine.csv`, `fixed.csv` and `duplicates.csv`
where there is something to list.
"""

import collections
import csv
import io
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from vgg_slim import files
from vgg_slim.data import manifest
from vgg_slim.data.conversion import audit, html_report, pixel_moments
from vgg_slim.data.conversion.splitting import SplitPlan
from vgg_slim.data.sources.labeled_images import Source

REPORT_FILE = 'report.html'
QUARANTINE_FILE = 'quarantine.csv'
FIXED_FILE = 'fixed.csv'
DUPLICATES_FILE = 'duplicates.csv'
# What each list counts.
LISTS = {
  QUARANTINE_FILE: 'pictures left out',
  FIXED_FILE: 'things mended',
  DUPLICATES_FILE: 'pictures equal to others',
}


class Place(NamedTuple):
  """Where a picture is: its split, its name in the source and its class."""

  split: str
  name: str
  class_name: str


def write_audit(
  folder: pathlib.Path,
  source: Source,
  plans: Mapping[str, SplitPlan],
  audits: Mapping[str, audit.Audit],
  written: manifest.Manifest,
) -> None:
  """Writes the report and the lists; the same arguments give the same bytes.

  Args:
    folder: exists; is given the files.
    source: what was converted.
    plans: of every split, in the order of `audits`.
    audits: of every split.
    written: what came of it.
  """
  names = source.class_names
  fixed = [note for found in audits.values() for note in found.fixed]
  quarantined = [note for found in audits.values() for note in found.quarantined]
  groups = find_duplicates(plans, audits, names)
  _write_csv(folder / QUARANTINE_FILE, ('file', 'class', 'reason'), _rows(quarantined, names))
  _write_csv(folder / FIXED_FILE, ('file', 'class', 'what'), _rows(fixed, names))
  _write_csv(
    folder / DUPLICATES_FILE,
    ('group', 'split', 'file', 'class'),
    [(number, *place) for number, group in enumerate(groups, start=1) for place in group],
  )
  text = html_report.render(_sections(source, audits, written, groups), _title(source))
  files.write_text(folder / REPORT_FILE, text)


def count_rows(data_dir: str | pathlib.Path) -> dict[str, int]:
  """Rows of each list that is in a converted data set, by file name."""
  counts = {}
  for name in LISTS:
    path = pathlib.Path(data_dir, name)
    if path.exists():
      with path.open(encoding='utf-8', newline='') as stream:
        counts[name] = sum(1 for _ in csv.reader(stream)) - 1
  return counts


def find_duplicates(
  plans: Mapping[str, SplitPlan],
  audits: Mapping[str, audit.Audit],
  class_names: Sequence[str],
) -> list[list[Place]]:
  """Groups of pictures that are equal byte for byte, within and across splits."""
  digests = b''.join(found.digests for found in audits.values())
  starts = {}
  count = 0
  for split, plan in plans.items():
    starts[split] = count
    count += len(plan.order)

  def place(index: int) -> Place:
    split = max((name for name in starts if starts[name] <= index), key=starts.__getitem__)
    plan = plans[split]
    image = plan.images[plan.order[index - starts[split]]]
    return Place(split, image.name, class_names[image.label])

  return [[place(index) for index in group] for group in audit.group_duplicates(digests)]


def _title(source: Source) -> str:
  return f'Audit of {source.dataset}: {source.num_classes} classes'


def _sections(
  source: Source,
  audits: Mapping[str, audit.Audit],
  written: manifest.Manifest,
  groups: Sequence[Sequence[Place]],
) -> list[html_report.Section]:
  return [
    _splits_section(audits, written),
    _notes_section('Left out', audits, 'quarantined', source, QUARANTINE_FILE),
    _notes_section('Mended', audits, 'fixed', source, FIXED_FILE),
    _duplicates_section(groups),
    _pixels_section(audits, written),
    _classes_section(source, audits),
    _skipped_files_section(source),
    html_report.Section(
      'Contact sheet',
      text='The first pictures of the training split, by class.',
      figures=[
        html_report.Figure(found.jpeg, f'{source.class_names[found.label]}: {found.name}')
        for found in sorted(audits['train'].thumbnails, key=lambda found: found.label)
      ],
    ),
  ]


def _splits_section(
  audits: Mapping[str, audit.Audit], written: manifest.Manifest
) -> html_report.Section:
  rows = []
  for name, split in written.splits.items():
    counts = split.examples_per_class
    found = audits[name]
    rows.append(
      (
        name,
        split.num_examples,
        f'{min(counts)} - {max(counts)}',
        len({note.name for note in found.fixed}),
        len(found.quarantined),
        len(split.shards),
        f'{split.num_bytes / 1e6:.1f}',
      )
    )
  headings = ('split', 'pictures', 'per class', 'mended', 'left out', 'shards', 'MB')
  return html_report.Section('Splits', table=html_report.Table(headings, rows))


def _notes_section(
  title: str, audits: Mapping[str, audit.Audit], kind: str, source: Source, csv_name: str
) -> html_report.Section:
  notes = [note for found in audits.values() for note in getattr(found, kind)]
  if not notes:
    return html_report.Section(title, text='None.')
  counts = collections.Counter(note.text for note in notes)
  names = collections.defaultdict(list)
  for note in notes:
    names[note.text].append(note.name)
  rows = [
    (text, count, html_report.join_names(names[text], csv_name))
    for text, count in counts.most_common(html_report.MAX_NAMES)
  ]
  return html_report.Section(title, table=html_report.Table(('what', 'pictures', 'which'), rows))


def _duplicates_section(groups: Sequence[Sequence[Place]]) -> html_report.Section:
  title = 'Equal pictures'
  if not groups:
    return html_report.Section(title, text='None: no two files have the same bytes.')
  across = sum(len({place.split for place in group}) > 1 for group in groups)
  labels = sum(len({place.class_name for place in group}) > 1 for group in groups)
  text = (
    f'{len(groups)} groups of {sum(map(len, groups))} pictures with the same bytes; {across} '
    f'groups across splits, {labels} with more than one class.'
  )
  rows = [
    (html_report.join_names([f'{place.split}: {place.name}' for place in group], DUPLICATES_FILE),)
    for group in groups[: html_report.MAX_NAMES]
  ]
  return html_report.Section(title, text=text, table=html_report.Table(('group',), rows))


def _pixels_section(
  audits: Mapping[str, audit.Audit], written: manifest.Manifest
) -> html_report.Section:
  def triple(values: Iterable[float]) -> str:
    return ', '.join(f'{value:.2f}' for value in values)

  rows = [
    ('mean of R, G, B (training split, 0..255)', triple(written.rgb_mean)),
    ('standard deviation', triple(written.rgb_std)),
    ('covariance', '; '.join(triple(row) for row in written.rgb_covariance)),
    (
      'pixels of these counted as means of 8x8',
      f'{pixel_moments.fraction_from_means(audits["train"].moments):.0%}',
    ),
    ('smallest side, largest side (pixels)', f'{written.smallest_side}, {written.largest_side}'),
    ('all of one size', 'yes' if written.same_size else 'no'),
  ]
  sides = sum((found.sides for found in audits.values()), collections.Counter())
  rows += [
    (f'smaller side of {2 ** (bits - 1)} to {2**bits - 1} pixels', f'{count} pictures')
    for bits, count in sorted(sides.items())
  ]
  tiny = [name for found in audits.values() for name in found.tiny]
  if tiny and not written.same_size:
    rows.append((f'smaller side below {audit.TINY_SIDE} pixels', html_report.join_names(tiny)))
  return html_report.Section('Pixels', table=html_report.Table(('what', 'value'), rows))


def _classes_section(source: Source, audits: Mapping[str, audit.Audit]) -> html_report.Section:
  train = audits['train'].per_class
  largest, smallest = int(train.max()), int(train.min())
  text = (
    f'The largest class of the training split has {largest} pictures, the smallest {smallest}: '
    f'{largest / max(1, smallest):.2f} to 1.'
  )
  rows = [
    (name, *(int(found.per_class[label]) for found in audits.values()), html_report.Bar(share))
    for label, (name, share) in enumerate(
      zip(source.class_names, (train / largest).tolist(), strict=True)
    )
  ]
  headings = ('class', *audits, 'training split')
  return html_report.Section('Classes', text=text, table=html_report.Table(headings, rows))


def _skipped_files_section(source: Source) -> html_report.Section:
  text = html_report.join_names(source.skipped_files) if source.skipped_files else 'None.'
  return html_report.Section('Files that are no pictures', text=text)


def _rows(notes: Iterable[audit.Note], class_names: Sequence[str]) -> list[tuple[str, str, str]]:
  return [(note.name, class_names[note.label], note.text) for note in notes]


def _write_csv(path: pathlib.Path, headings: Sequence[str], rows: Sequence[Sequence]) -> None:
  if not rows:
    return
  stream = io.StringIO(newline='')
  writer = csv.writer(stream, lineterminator='\n')
  writer.writerow(headings)
  writer.writerows(rows)
  # Names of files need not be UTF-8.
  text = stream.getvalue().encode('utf-8', errors='backslashreplace').decode()
  files.write_text(path, text)
