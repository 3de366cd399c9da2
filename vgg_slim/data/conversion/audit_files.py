"""The audit of a conversion as files for people, written beside the shards. No TensorFlow.

`report.html`, with its images embedded, is always written; the CSV files only if they have rows.
Every file of the source is kept as it is, or listed as fixed, left out, or passed over.
"""

import collections
import csv
import itertools
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from vgg_slim import csv_text, files
from vgg_slim.data import manifest
from vgg_slim.data.conversion import audit, html_report, pixel_moments
from vgg_slim.data.conversion.splitting import SplitPlan
from vgg_slim.data.sources.labeled_images import Source
from vgg_slim.preprocessing import image_formats
from vgg_slim.wording import count_extensions, counted

REPORT_FILE = 'report.html'
QUARANTINE_FILE = 'quarantine.csv'
FIXED_FILE = 'fixed.csv'
DUPLICATES_FILE = 'duplicates.csv'
NEAR_DUPLICATES_FILE = 'near_duplicates.csv'
OTHER_FILES_FILE = 'other_files.csv'
# What each list has rows of, for messages: a noun that is counted, and what follows it.
_LISTS = {
  QUARANTINE_FILE: ('image', 'left out'),
  FIXED_FILE: ('image', 'fixed'),
  DUPLICATES_FILE: ('image', 'with duplicates'),
  NEAR_DUPLICATES_FILE: ('image', 'that look like others'),
  OTHER_FILES_FILE: ('file', 'passed over'),
}
_NO_LABEL = 'an image without a label: move it to the folder of its class'
_NOT_AN_IMAGE = 'neither its extension nor its first bytes are those of an image'


class ImageLocation(NamedTuple):
  """An image's split, its name in the source and its class."""

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
    folder: existing folder for the files.
    source: data set that was converted.
    plans: plan of every split, in the order of `audits`.
    audits: audit of every split.
    written: manifest of the converted data set.
  """
  names = source.class_names
  fixed = [note for split_audit in audits.values() for note in split_audit.fixed]
  quarantined = [note for split_audit in audits.values() for note in split_audit.quarantined]
  groups = find_duplicates(plans, audits, names)
  _write_csv(folder / QUARANTINE_FILE, ('file', 'class', 'reason'), _rows(quarantined, names))
  _write_csv(folder / FIXED_FILE, ('file', 'class', 'what'), _rows(fixed, names))
  write_groups(folder / DUPLICATES_FILE, groups)
  _write_csv(
    folder / OTHER_FILES_FILE,
    ('file', 'reason'),
    [(name, _why_skipped(name)) for name in source.skipped_files],
  )
  text = html_report.render(_sections(source, audits, written, groups), _title(source, written))
  files.write_text(folder / REPORT_FILE, text)


def write_groups(path: pathlib.Path, groups: Sequence[Sequence[ImageLocation]]) -> None:
  """Writes groups of images as a CSV file; no file if there are none."""
  rows = [(number, *image) for number, group in enumerate(groups, start=1) for image in group]
  _write_csv(path, ('group', 'split', 'file', 'class'), rows)


def describe_lists(data_dir: str | pathlib.Path) -> list[str]:
  """Says what each list of a data set holds, such as '3 images left out (2 .svg, 1 .png): ...'."""
  lines = []
  for name, (noun, done) in _LISTS.items():
    path = pathlib.Path(data_dir, name)
    if path.exists():
      with path.open(encoding='utf-8', newline='') as stream:
        names = list(dict.fromkeys(row['file'] for row in csv.DictReader(stream)))
      lines.append(f'{counted(len(names), noun)} {done} ({count_extensions(names)}): {path}')
  return lines


def _why_skipped(name: str) -> str:
  is_image = image_formats.has_image_extension(audit.extension_of(name))
  return _NO_LABEL if is_image else _NOT_AN_IMAGE


def _shown(extension: str) -> str:
  return extension or 'without'


def find_duplicate_problems(data_dir: str | pathlib.Path) -> list[str]:
  """Describes equal images in different classes or splits of a converted data set."""
  path = pathlib.Path(data_dir, DUPLICATES_FILE)
  if not path.exists():
    return []
  groups: dict[str, list[ImageLocation]] = collections.defaultdict(list)
  with path.open(encoding='utf-8', newline='') as stream:
    for number, *image in itertools.islice(csv.reader(stream), 1, None):
      groups[number].append(ImageLocation(*image))
  problems = []
  for what, field in (('class', 'class_name'), ('split', 'split')):
    apart = [g for g in groups.values() if len({getattr(image, field) for image in g}) > 1]
    if apart:
      first = ' = '.join(f'{image.name} ({getattr(image, field)})' for image in apart[0][:3])
      images = counted(len(apart), 'image')
      problems.append(f'{images} with a copy in another {what}, such as {first}')
  return problems


def find_duplicates(
  plans: Mapping[str, SplitPlan],
  audits: Mapping[str, audit.Audit],
  class_names: Sequence[str],
) -> list[list[ImageLocation]]:
  """Groups of equal images, see `content_digest`, within and across splits."""
  digests = b''.join(split_audit.digests for split_audit in audits.values())
  starts = {}
  count = 0
  for split, plan in plans.items():
    starts[split] = count
    count += len(plan.order)

  def locate(index: int) -> ImageLocation:
    split = max((name for name in starts if starts[name] <= index), key=starts.__getitem__)
    plan = plans[split]
    image = plan.images[plan.order[index - starts[split]]]
    return ImageLocation(split, image.name, class_names[image.label])

  return [[locate(index) for index in group] for group in audit.group_duplicates(digests)]


def _title(source: Source, written: manifest.Manifest) -> str:
  images = counted(sum(split.num_examples for split in written.splits.values()), 'image')
  return f'Audit of {images} of {counted(source.num_classes, "class")} ({source.dataset})'


def _sections(
  source: Source,
  audits: Mapping[str, audit.Audit],
  written: manifest.Manifest,
  groups: Sequence[Sequence[ImageLocation]],
) -> list[html_report.Section]:
  return [
    _splits_section(audits, written),
    _extensions_section(source, audits),
    _notes_section('Left out', audits, 'quarantined', QUARANTINE_FILE),
    _notes_section('Fixed', audits, 'fixed', FIXED_FILE),
    _duplicates_section(groups),
    _pixels_section(audits, written),
    _classes_section(source, audits),
    _skipped_files_section(source),
    html_report.Section(
      'Contact sheet',
      text='The first images of every class of the training split.',
      figures=[
        html_report.Figure(image.jpeg, _caption(source.class_names[image.label], image.name))
        for image in sorted(audits['train'].thumbnails, key=lambda image: image.label)
      ],
    ),
  ]


def _caption(class_name: str, name: str) -> str:
  """The name of an image, after its class unless the image is in the folder of that name."""
  return name if f'/{class_name}/' in f'/{name}' else f'{class_name}: {name}'


def _splits_section(
  audits: Mapping[str, audit.Audit], written: manifest.Manifest
) -> html_report.Section:
  rows = []
  for name, split in written.splits.items():
    counts = split.examples_per_class
    split_audit = audits[name]
    rows.append(
      (
        name,
        split.num_examples,
        f'{min(counts)} - {max(counts)}',
        len({note.name for note in split_audit.fixed}),
        len(split_audit.quarantined),
        len(split.shards),
        f'{split.num_bytes / 1e6:.1f}',
      )
    )
  headings = ('split', 'images', 'per class', 'fixed', 'left out', 'shards', 'MB')
  return html_report.Section('Splits', table=html_report.Table(headings, rows))


def _extensions_section(source: Source, audits: Mapping[str, audit.Audit]) -> html_report.Section:
  def count(names: Iterable[str]) -> collections.Counter[str]:
    return collections.Counter(map(audit.extension_of, names))

  none: collections.Counter[str] = collections.Counter()
  good = sum((each.extensions for each in audits.values()), none)
  fixed = sum((count({note.name for note in each.fixed}) for each in audits.values()), none)
  left_out = sum((count(n.name for n in each.quarantined) for each in audits.values()), none)
  other = count(source.skipped_files)
  rows = [
    (
      _shown(extension),
      good[extension] - fixed[extension],
      fixed[extension],
      left_out[extension],
      other[extension],
    )
    for extension, _ in (good + left_out + other).most_common()
  ]
  headings = ('extension', 'kept as they are', 'fixed', 'left out', 'passed over')
  return html_report.Section('Kinds of files', table=html_report.Table(headings, rows))


def _notes_section(
  title: str, audits: Mapping[str, audit.Audit], kind: str, csv_name: str
) -> html_report.Section:
  notes = [note for split_audit in audits.values() for note in getattr(split_audit, kind)]
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
  return html_report.Section(title, table=html_report.Table(('what', 'images', 'names'), rows))


def _duplicates_section(groups: Sequence[Sequence[ImageLocation]]) -> html_report.Section:
  title = 'Duplicates'
  if not groups:
    return html_report.Section(title, text='None: no two images are equal.')
  num_images = sum(map(len, groups))
  across_splits = sum(len({image.split for image in group}) > 1 for group in groups)
  across_classes = sum(len({image.class_name for image in group}) > 1 for group in groups)
  text = (
    f'Groups of equal images: {len(groups)} ({counted(num_images, "image")}). '
    f'Groups across splits: {across_splits}; across classes: {across_classes}.'
  )
  rows = [
    (html_report.join_names([f'{image.split}: {image.name}' for image in group], DUPLICATES_FILE),)
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
      'fraction of these pixels counted as means of 8x8 blocks',
      f'{pixel_moments.fraction_from_means(audits["train"].moments):.0%}',
    ),
    ('smallest side, largest side (pixels)', f'{written.smallest_side}, {written.largest_side}'),
    ('all images have one size', 'yes' if written.same_size else 'no'),
  ]
  if written.pixel_range:
    low, high = written.pixel_range
    rows.append(
      ('values that became 0 and 255 in images of more than 8 bits', f'{low:g}, {high:g}')
    )
  sides = sum((split_audit.sides for split_audit in audits.values()), collections.Counter())
  rows += [
    (f'smaller side of {2 ** (bits - 1)} to {2**bits - 1} pixels', counted(count, 'image'))
    for bits, count in sorted(sides.items())
  ]
  tiny = [name for split_audit in audits.values() for name in split_audit.tiny]
  if tiny and not written.same_size:
    rows.append((f'smaller side below {audit.TINY_SIDE} pixels', html_report.join_names(tiny)))
  return html_report.Section('Pixels', table=html_report.Table(('what', 'value'), rows))


def _classes_section(source: Source, audits: Mapping[str, audit.Audit]) -> html_report.Section:
  train = audits['train'].per_class
  largest, smallest = int(train.max()), int(train.min())
  text = (
    f'The largest class of the training split has {largest} images, the smallest {smallest}: '
    f'{largest / max(1, smallest):.2f} to 1.'
  )
  rows: list[Sequence[html_report.Cell]] = [
    (name, *(int(counts.per_class[label]) for counts in audits.values()), html_report.Bar(share))
    for label, (name, share) in enumerate(
      zip(source.class_names, (train / largest).tolist(), strict=True)
    )
  ]
  headings = ('class', *audits, 'training split')
  return html_report.Section('Classes', text=text, table=html_report.Table(headings, rows))


def _skipped_files_section(source: Source) -> html_report.Section:
  title = 'Files passed over'
  if not source.skipped_files:
    return html_report.Section(title, text='None.')
  names = collections.defaultdict(list)
  for name in source.skipped_files:
    names[_why_skipped(name)].append(name)
  rows = [
    (reason, len(skipped), html_report.join_names(skipped, OTHER_FILES_FILE))
    for reason, skipped in names.items()
  ]
  return html_report.Section(title, table=html_report.Table(('why', 'files', 'names'), rows))


def _rows(notes: Iterable[audit.Note], class_names: Sequence[str]) -> list[tuple[str, str, str]]:
  return [(note.name, class_names[note.label], note.text) for note in notes]


def _write_csv(path: pathlib.Path, headings: Sequence[str], rows: Sequence[Sequence]) -> None:
  if not rows:
    return
  text = csv_text.format_rows([headings, *rows])
  # File names need not be UTF-8.
  files.write_text(path, text.encode('utf-8', errors='backslashreplace').decode())
