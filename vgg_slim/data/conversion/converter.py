"""Converts a source of images to a folder of TFRecord shards with a manifest and an audit.

No TensorFlow.
"""

import contextlib
import dataclasses
import functools
import hashlib
import json
import pathlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np

from vgg_slim import __version__, files
from vgg_slim.constants import MOST_WORKERS
from vgg_slim.data import manifest, shards
from vgg_slim.data.conversion import (
  audit,
  audit_files,
  beam_workers,
  journal,
  near_duplicates,
  pixel_moments,
  preparation,
  regrouping,
  shard_plans,
  splitting,
  workers,
)
from vgg_slim.data.conversion.shard_plans import ShardPlan
from vgg_slim.data.conversion.splitting import SplitRule
from vgg_slim.data.sources.labeled_images import Source
from vgg_slim.errors import ConfigError, DataError, UnfinishedError, describe_file_error
from vgg_slim.preprocessing import sample_depth
from vgg_slim.preprocessing.description import ANTIALIASED, Range, is_range
from vgg_slim.wording import counted, listed

MAX_MEGAPIXELS = 500  # TensorFlow decodes images of fewer than 2**29 pixels
_MAX_NAMED = 10  # unusable images that an error names

ProgressFn = Callable[[int, int], None]


@dataclasses.dataclass(frozen=True)
class Options:
  """Options of a conversion.

  Attributes:
    rule: rule for drawing the validation split and shuffling the training split.
    num_shards: number of shards of the training split; other splits get shards in proportion to
      their number of images. None means about 128 MB per shard.
    smaller_side: side in pixels; images whose smaller side is longer are reduced to it. None keeps
      their size.
    strict: whether an unusable image is an error.
    near_duplicates: whether to list images that look alike, see `near_duplicates`.
    pixel_range: values that become 0 and 255 in images of more than 8 bits whose files do not say.
      None takes 0 and the largest value of the data set, rounded up to the largest of 8, 10, 12, 14
      or 16 bits; images of 32 bits are then left out.
    max_megapixels: size of the largest image that is read; None means the limits of `host`.
  """

  rule: SplitRule = SplitRule()
  num_shards: int | None = None
  smaller_side: int | None = None
  strict: bool = False
  near_duplicates: bool = False
  pixel_range: Range | None = None
  max_megapixels: float | None = None

  def __post_init__(self):
    if self.smaller_side is not None and self.smaller_side < 1:
      raise ConfigError(f'resize_smaller_side must be at least 1, got {self.smaller_side}.')
    if self.pixel_range is not None and not is_range(self.pixel_range):
      raise ConfigError(f'pixel_range must be two increasing numbers, got {self.pixel_range}.')
    if self.max_megapixels is not None and not 0 < self.max_megapixels <= MAX_MEGAPIXELS:
      raise ConfigError(
        f'max_megapixels must be positive and at most {MAX_MEGAPIXELS}, got {self.max_megapixels}.'
      )

  @property
  def storage(self) -> preparation.Storage:
    return preparation.Storage(self.smaller_side, self.pixel_range, self.max_megapixels)


def convert(
  source: Source,
  output_dir: str | pathlib.Path,
  options: Options = Options(),
  num_workers: int = 1,
  progress: ProgressFn | None = None,
  runner: beam_workers.Runner | None = None,
) -> manifest.Manifest:
  """Writes shards, `labels.txt`, `manifest.json` and the audit (see `audit_files`).

  The same source and options give the same bytes, with any number of workers. Every image is read
  once; shards with 16-bit images that need the range of the data set (see `Options`) are written
  again. A conversion that was killed, or that failed for lack of memory or disk space, keeps its
  finished shards and continues after them when called again with the same arguments.

  Args:
    source: data set from `catalog.open_source`.
    output_dir: folder to create; it appears when everything is written, and not at all after an
      error.
    options: options of the conversion.
    num_workers: number of decoding processes; with more than one, `__main__` must be importable.
    progress: function called with (number of images done, total number of images), first with the
      number that an earlier process did, and last when everything is written.
    runner: Apache Beam runner whose workers convert one shard each, instead of processes on this
      machine; they need the images and the output folder at the same paths.

  Raises:
    ConfigError: an option is out of range.
    UnfinishedError: a worker process died or the disk is full; the finished shards are kept.
    DataError: `output_dir` exists or cannot be written, a split or class is empty or too small, or
      `options.strict` is set and images are unusable (the first ones are named).
  """
  output = pathlib.Path(output_dir)
  if not 1 <= num_workers <= MOST_WORKERS:
    raise ConfigError(f'num_workers must be in [1, {MOST_WORKERS}], got {num_workers}.')
  if options.near_duplicates:
    near_duplicates.check_installed()
  if problem := files.utf8_problem(str(output)):
    raise ConfigError(f'{output}: {problem}.')
  plans = splitting.plan_splits(source, options.rule)
  planned = shard_plans.plan_shards(source, plans, options.num_shards, options.storage)
  try:
    with (
      files.resumable_folder(
        output, _fingerprint(source, options, planned), mistakes=(ConfigError, DataError)
      ) as staging,
      _explain_how_to_resume(staging, planned),
    ):
      files.remove_temporaries(staging)
      total = _num_images(planned)
      if progress:
        progress(total - _num_images(_pending(staging, planned)), total)
      if runner:
        write = functools.partial(_write_shards_by_beam, staging, source, planned, runner)
      else:
        write = functools.partial(_write_shards, staging, source, planned, num_workers, progress)
      write(options)
      written = journal.Journal(staging)
      entries = _read_entries(planned, written)
      pixel_range = options.pixel_range or _range_of_set(entries)
      if pixel_range != options.pixel_range:
        options = dataclasses.replace(options, pixel_range=pixel_range)
        _forget_unstated(entries, written)
        write(options)
        entries = _read_entries(planned, written)
      if splitting.keeps_duplicates_together(source, options.rule):
        planned, entries = regrouping.keep_together(
          staging, source, planned, entries, options.storage
        )
        plans = shard_plans.join_shards(planned)
      splits, audits = _merge_shards(source, planned, entries)
      _check_outcome(source, plans, audits, options)
      fraction = splitting.validation_fraction(source, plans, options.rule)
      result = _manifest(source, splits, audits, options, fraction)
      audit_files.write_audit(staging, source, plans, audits, result)
      if options.near_duplicates:
        similar = near_duplicates.find_groups(staging, result, num_workers)
        audit_files.write_groups(staging / audit_files.NEAR_DUPLICATES_FILE, similar)
      for shard in planned:
        written.remove(shard.file)
      manifest.write_manifest(staging, result)
    if progress:
      progress(total, total)
  except OSError as error:
    if output.exists():
      reason = 'it exists already; give a folder that does not exist'
    else:
      reason = files.dead_link(output) or error.strerror or str(error)
    raise DataError(f'{output} cannot be written: {reason}.') from error
  return result


@contextlib.contextmanager
def _explain_how_to_resume(folder: pathlib.Path, planned: Sequence[ShardPlan]) -> Iterator[None]:
  """Adds to errors of disk, memory and workers in the block what is kept and how to resume."""
  try:
    yield
  except (OSError, UnfinishedError) as error:
    finished = len(planned) - len(_pending(folder, planned))
    text = describe_file_error(error) if isinstance(error, OSError) else str(error)
    raise UnfinishedError(
      f'{text.rstrip(".")}. The conversion is not finished: {finished} of '
      f'{counted(len(planned), "shard")} are written and kept. Run the same command again '
      'to write the others.'
    ) from error


def _fingerprint(source: Source, options: Options, planned: Sequence[ShardPlan]) -> str:
  """Returns 16 hex digits that change whenever any byte of the output may change."""
  digest = hashlib.sha256()
  inputs = (
    __version__,
    manifest.FORMAT_VERSION,
    source.dataset,
    source.class_names,
    source.mirror_safe,
    source.fingerprint,
    dataclasses.asdict(options),
    ANTIALIASED,
  )
  digest.update(json.dumps(inputs).encode())
  for images in source.splits.values():
    for image in images:
      digest.update(f'{image.name}\0{image.label}\n'.encode('utf-8', 'surrogateescape'))
  for shard in planned:
    digest.update(shard.file.encode())
    digest.update(shard.plan.order.data)
  return digest.hexdigest()[:16]


def _write_shards(
  folder: pathlib.Path,
  source: Source,
  planned: Sequence[ShardPlan],
  num_workers: int,
  progress: ProgressFn | None,
  options: Options,
) -> None:
  """Writes the shards that the journal lacks, on this machine."""
  pending = _pending(folder, planned)
  total = _num_images(planned)
  done = total - _num_images(pending)
  storage = options.storage
  tasks = (task for shard in pending for task in shard_plans.make_tasks(source, shard, storage))

  def check(so_far: audit.Audit) -> None:
    if progress and done + so_far.num_images < total:
      progress(done + so_far.num_images, total)

  with workers.map_in_order(preparation.prepare, tasks, num_workers) as results:
    for shard in pending:
      size = len(shard.plan.order)
      _write_shard(folder, shard.file, size, source.num_classes, results, check)
      done += size


def _write_shards_by_beam(
  folder: pathlib.Path,
  source: Source,
  planned: Sequence[ShardPlan],
  runner: beam_workers.Runner,
  options: Options,
) -> None:
  """Has Beam write the shards that the journal lacks; one worker writes a whole shard."""
  jobs = [
    (shard.file, list(shard_plans.make_tasks(source, shard, options.storage)))
    for shard in _pending(folder, planned)
  ]
  beam_workers.for_each(functools.partial(_convert_shard, folder, source.num_classes), jobs, runner)
  files.remove_temporaries(folder)  # left by failed or redundant attempts


def _convert_shard(
  folder: pathlib.Path, num_classes: int, job: tuple[str, Sequence[preparation.Task]]
) -> None:
  file, tasks = job
  num_images = sum(len(task.images) for task in tasks)
  _write_shard(folder, file, num_images, num_classes, map(preparation.prepare, tasks))


def _write_shard(
  folder: pathlib.Path,
  file: str,
  num_images: int,
  num_classes: int,
  results: Iterator[preparation.Prepared],
  check: Callable[[audit.Audit], None] | None = None,
) -> None:
  """Writes a shard of the next `num_images` images, and its journal entry.

  Args:
    folder: folder of the shards.
    file: name of the shard.
    num_images: number of images of the shard, including those that are left out.
    num_classes: number of classes of the data set.
    results: results of tasks; consumed until they hold `num_images` images.
    check: function called after every task with the audit so far.
  """
  shard_audit = audit.Audit.empty(num_classes)

  def frames() -> Iterator[bytes]:
    while shard_audit.num_images < num_images:
      prepared = next(results)
      shard_audit.merge(prepared.audit)
      if check:
        check(shard_audit)
      yield from prepared.frames

  written = shards.write_shard(folder / file, frames())
  journal.Journal(folder).record(written, shard_audit)


def _read_entries(
  planned: Sequence[ShardPlan], done: journal.Journal
) -> dict[str, regrouping.Written]:
  return {shard.file: regrouping.Written(*done.read(shard.file)) for shard in planned}


def _range_of_set(entries: Mapping[str, regrouping.Written]) -> Range | None:
  """Returns the range of the 16-bit images whose files state none; None for all 16 bits."""
  largest = [entry.audit.largest_unstated for entry in entries.values()]
  values = [value for value in largest if value is not None]
  return sample_depth.range_of_set(max(values)) if values else None


def _forget_unstated(entries: Mapping[str, regrouping.Written], done: journal.Journal) -> None:
  """Removes the journal entries of shards with images that depend on the range of the data set."""
  for file, entry in entries.items():
    if entry.audit.largest_unstated is not None:
      done.remove(file)


def _pending(folder: pathlib.Path, planned: Sequence[ShardPlan]) -> list[ShardPlan]:
  done = journal.Journal(folder)
  return [shard for shard in planned if not done.has(shard.file)]


def _num_images(planned: Iterable[ShardPlan]) -> int:
  return sum(len(shard.plan.order) for shard in planned)


def _describe_unusable(notes: Sequence[audit.Note]) -> str:
  named = [f'{note.name}: {note.text}' for note in notes]
  return f'Images that cannot be used: {listed(named, _MAX_NAMED, "; ")}.'


def _merge_shards(
  source: Source, planned: Sequence[ShardPlan], entries: Mapping[str, regrouping.Written]
) -> tuple[dict[str, manifest.Split], dict[str, audit.Audit]]:
  """Returns the splits and their audits; only the audits count images that were left out."""
  written: dict[str, list[manifest.Shard]] = {shard.split: [] for shard in planned}
  audits = {split: audit.Audit.empty(source.num_classes) for split in written}
  for shard in planned:
    entry, shard_audit = entries[shard.file]
    written[shard.split].append(entry)
    audits[shard.split].merge(shard_audit)
  splits = {
    name: manifest.Split(total.num_good, tuple(total.per_class.tolist()), tuple(written[name]))
    for name, total in audits.items()
  }
  return splits, audits


def _check_outcome(
  source: Source,
  plans: dict[str, splitting.SplitPlan],
  audits: dict[str, audit.Audit],
  options: Options,
) -> None:
  """Raises DataError if a split has no usable image, or a class has no usable training image."""
  notes = [note for split_audit in audits.values() for note in split_audit.quarantined]
  if options.strict and notes:
    raise DataError(_describe_unusable(notes))
  problems = [f'split {name!r} has none' for name, total in audits.items() if not total.num_good]
  problems += [
    f'class {source.class_names[label]} has none for training'
    for label in np.unique(plans['train'].labels())
    if not audits['train'].per_class[label]
  ]
  if problems:
    raise DataError(f'Too few usable images: {"; ".join(problems)}. {_describe_unusable(notes)}')


def _manifest(
  source: Source,
  splits: dict[str, manifest.Split],
  audits: dict[str, audit.Audit],
  options: Options,
  fraction: float,
) -> manifest.Manifest:
  rgb = pixel_moments.compute_statistics(audits['train'].moments)
  heights = [side for split_audit in audits.values() for side in split_audit.heights or ()]
  widths = [side for split_audit in audits.values() for side in split_audit.widths or ()]
  return manifest.Manifest(
    format_version=manifest.FORMAT_VERSION,
    vgg_slim_version=__version__,
    dataset=source.dataset,
    class_names=source.class_names,
    rgb_mean=rgb.mean,
    rgb_std=rgb.std,
    rgb_covariance=rgb.covariance,
    smallest_side=min(heights + widths),
    largest_side=max(heights + widths),
    same_size=len(set(heights)) == len(set(widths)) == 1,
    mirror_safe=source.mirror_safe,
    seed=options.rule.seed,
    validation_fraction=fraction,
    splits=splits,
    stored_side=options.smaller_side,
    pixel_range=options.pixel_range,
    most_elongated=_most_elongated(audits.values()),
  )


def _most_elongated(audits: Iterable[audit.Audit]) -> manifest.Elongated | None:
  total = audit.Audit.empty(0)
  for each in audits:
    total.add_elongated(each.elongated)
  return manifest.Elongated(*total.elongated) if total.elongated else None
