"""Converts a data set of images to TFRecord shards, for tools/train and the other commands.

  tools/convert_to_tfrecord --dataset=folder --input_dir=photos --output_dir=data/photos
  tools/convert_to_tfrecord --dataset=digits --output_dir=data/digits
  tools/convert_to_tfrecord --dataset=cifar10 --input_dir=cifar-10-binary.tar.gz --output_dir=cifar
  tools/convert_to_tfrecord --dataset=tfrecord --input_dir=flowers --output_dir=data/flowers

The output folder receives shards, labels.txt, manifest.json and report.html. Every image is
decoded. Upright 8-bit JPEG and PNG files are stored unchanged; images that can be repaired are
repaired and listed in fixed.csv; images that cannot be used are left out and listed in
quarantine.csv (an error with --strict), each with what to do; files that are not images are listed
in other_files.csv; equal images are listed in duplicates.csv, and are never divided between
training and validation.

A conversion that was interrupted continues where it stopped when the same command is run again. The
same command writes the same bytes, whatever --num_workers and --runner are.

With --runner, Apache Beam (an optional extra) converts one shard at a time on each of its workers,
which must find the images and the output folder at the same paths:

  tools/convert_to_tfrecord --dataset=folder --input_dir=/shared/photos --output_dir=/shared/data \\
      --runner=FlinkRunner --beam_options='--flink_master=host:8081 --parallelism=64'
"""

import os
import pathlib
import shlex
from collections.abc import Iterator

from absl import flags

from vgg_slim import files, output_files, terminal
from vgg_slim.commands import installation, interruption, invocation, progress, terminal_tables
from vgg_slim.constants import TRAIN_SCALE
from vgg_slim.data import class_balance, labels, manifest, path_hints
from vgg_slim.data.conversion import audit_files, beam_workers, converter, splitting, workers
from vgg_slim.data.sources import catalog, class_layout
from vgg_slim.errors import ConfigError, shortened
from vgg_slim.preprocessing import host, image_area
from vgg_slim.preprocessing.description import Range
from vgg_slim.wording import counted, listed, printable

_FEW_VALIDATION_IMAGES = 100
_FEW_IMAGES_PER_CLASS = 1000

_DATASET = flags.DEFINE_enum(
  'dataset', None, list(catalog.DATASETS), "Kind of data set; 'folder' has one folder per class."
)
_INPUT_DIR = flags.DEFINE_string(
  'input_dir',
  None,
  'Folder or archive that holds the images. '
  + ' '.join(f'{name}: {kind.input or "none"}.' for name, kind in catalog.DATASETS.items()),
)
_LABELS = flags.DEFINE_string(
  'labels',
  None,
  'File with all classes in the order of their labels, one per line, or the labels.txt of another '
  'data set. Class folders may then be missing or empty. Defaults to the classes of the data set.',
)
_LABELS_FROM = flags.DEFINE_enum(
  'labels_from',
  class_layout.FROM_FOLDER,
  list(class_layout.LABELS_FROM),
  "Where the class of an image in a folder or archive comes from: 'folder', the folder that it is "
  "in; or 'prefix', what precedes the number in the name of its file, such as cat in cat.0.jpg.",
)
_OUTPUT_DIR = flags.DEFINE_string('output_dir', None, 'Folder to create.')
_VALIDATION_FRACTION = flags.DEFINE_float(
  'validation_fraction',
  None,
  'Fraction of the training images, in [0, 1), that becomes the validation split, the same for '
  f'every class. Defaults to {splitting.DEFAULT_VALIDATION_FRACTION}, or to 0 if the data set has '
  'its own validation split.',
)
_SPLIT_BY_HASH = flags.DEFINE_bool(
  'split_by_hash',
  False,
  'Choose the validation split by a hash of the file names: no image changes its split when others '
  'are added, but the fractions vary randomly between classes.',
)
_VALIDATION_PER_CLASS = flags.DEFINE_integer(
  'validation_per_class',
  None,
  'Number of images per class in the validation split, instead of a fraction.',
)
_SPLIT_LIKE = flags.DEFINE_enum(
  'split_like',
  None,
  list(splitting.LIKE),
  "Choose exactly the validation images that Keras chooses: 'keras' stands for "
  "image_dataset_from_directory with the same validation_split and seed, 'keras_generator' for "
  'ImageDataGenerator. Equal images are then not moved together.',
)
_DUPLICATES_TOGETHER = flags.DEFINE_bool(
  'duplicates_together',
  True,
  'Move equal images to the same split where the validation split is drawn. With '
  '--noduplicates_together each image is drawn on its own, as in 0.2.',
)
_SEED = flags.DEFINE_integer('seed', 0, 'Random seed for the validation split and for shuffling.')
_NUM_SHARDS = flags.DEFINE_integer(
  'num_shards',
  None,
  'Number of shards of the training split; the other splits get a proportional number. By default '
  'a shard holds about 128 MB.',
)
_RESIZE_SMALLER_SIDE = flags.DEFINE_integer(
  'resize_smaller_side',
  None,
  'Reduce larger images to a smaller side of this many pixels. By default images keep their size.',
)
_PIXEL_RANGE = flags.DEFINE_list(
  'pixel_range',
  None,
  'Two values, such as 0,4095, that become 0 and 255 in images of 16 or 32 bits whose files do not '
  'state their range. By default 16-bit images use 0 and the largest value of the data set, '
  'rounded up to 8, 10, 12, 14 or 16 bits, and 32-bit images are left out.',
)
_MAX_MEGAPIXELS = flags.DEFINE_float(
  'max_megapixels',
  None,
  'Leave out images of more megapixels than this, which may need 3 MB of memory for each. Defaults '
  f'to {host.MAX_MEGAPIXELS_JPEG} for JPEG files and to {host.MAX_MEGAPIXELS} for others.',
)
_STRICT = flags.DEFINE_bool('strict', False, 'Stop with an error at images that cannot be used.')
_NEAR_DUPLICATES = flags.DEFINE_bool(
  'near_duplicates',
  False,
  'List images that look alike in near_duplicates.csv, by a perceptual hash of the package '
  'ImageHash, which is optional.',
)
_NUM_WORKERS = flags.DEFINE_integer(
  'num_workers', None, 'Number of processes that decode images. Defaults to one per processor.'
)
_RUNNER = flags.DEFINE_string(
  'runner',
  None,
  'Apache Beam runner that does the work: DirectRunner (this machine), FlinkRunner, SparkRunner, '
  'DataflowRunner, ... By default processes on this machine do it, without Beam.',
)
_BEAM_OPTIONS = flags.DEFINE_string(
  'beam_options', '', 'Flags for Beam and its runner, as they would be written on a command line.'
)


def main() -> None:
  """Converts the data set and prints a summary."""
  dataset, output_dir = _check_flags()
  rule = splitting.SplitRule(
    _VALIDATION_FRACTION.value,
    _SPLIT_BY_HASH.value,
    _VALIDATION_PER_CLASS.value,
    _SEED.value,
    _DUPLICATES_TOGETHER.value,
    _SPLIT_LIKE.value,
  )
  class_names = labels.read_class_list(pathlib.Path(_LABELS.value)) if _LABELS.value else None
  source = catalog.open_source(dataset, _INPUT_DIR.value, class_names, _LABELS_FROM.value)
  options = converter.Options(
    rule,
    _NUM_SHARDS.value,
    _RESIZE_SMALLER_SIDE.value,
    _STRICT.value,
    _NEAR_DUPLICATES.value,
    _pixel_range(),
    _MAX_MEGAPIXELS.value,
  )
  num_workers = workers.available() if _NUM_WORKERS.value is None else _NUM_WORKERS.value
  terminal.show(f'{counted(source.num_classes, "class")}: {listed(source.class_names)}.')
  for note in source.notes:
    terminal.show(shortened(printable(note)))
  if not source.mirror_safe:
    terminal.show(
      'Training does not mirror these images, which may be digits or text: see --random_flip.'
    )
  num_images = sum(map(len, source.splits.values()))
  try:
    with progress.show('Converting', total=num_images) as meter:
      result = converter.convert(source, output_dir, options, num_workers, meter, _runner())
  except KeyboardInterrupt as interrupt:
    raise KeyboardInterrupt(
      interruption.signal_of(interrupt),
      'interrupted. The same command continues with the shards that are not written yet.',
    ) from None
  _print_result(result, output_dir, meter)


def _pixel_range() -> Range | None:
  if _PIXEL_RANGE.value is None:
    return None
  try:
    low, high = map(float, _PIXEL_RANGE.value)
  except ValueError:
    given = ','.join(_PIXEL_RANGE.value)
    raise ConfigError(f'--pixel_range must be two numbers such as 0,4095, got {given}.') from None
  return low, high


def _runner() -> beam_workers.Runner | None:
  if _RUNNER.value is None:
    return None
  return beam_workers.Runner(_RUNNER.value, tuple(shlex.split(_BEAM_OPTIONS.value)))


def run() -> None:
  """Entry point of the console command."""
  invocation.run(main)


def _check_flags() -> tuple[str, str]:
  """Returns --dataset and --output_dir; raises ConfigError that lists all that is wrong."""
  dataset, output_dir = _DATASET.value, _OUTPUT_DIR.value
  problems = []
  if dataset is None:
    problems.append(f'--dataset is required: one of {", ".join(catalog.DATASETS)}')
  elif not _INPUT_DIR.value:
    kind = catalog.DATASETS[dataset]
    if kind.input and not kind.default_dir:
      problems.append(f'--input_dir is required: the folder or archive of {dataset}')
  if not output_dir:
    problems.append('--output_dir is required: a folder to create')
  elif problem := _output_problem(output_dir, dataset):
    problems.append(f'--output_dir={output_dir} {problem}')
  if _BEAM_OPTIONS.value and not _RUNNER.value:
    problems.append('--beam_options has no effect without --runner')
  if _RUNNER.value and _NUM_WORKERS.value is not None:
    problems.append('--num_workers has no effect with --runner; use --beam_options')
  if problems or not dataset or not output_dir:
    raise ConfigError(f'{"; ".join(problems)}.')
  output_files.check_outputs(made=invocation.values_by_flag(_OUTPUT_DIR))
  return dataset, output_dir


def _output_problem(output_dir: str, dataset: str | None) -> str | None:
  """Returns what is wrong with --output_dir, and the way out; None if nothing is."""
  source = _INPUT_DIR.value
  if source and os.path.exists(source):
    way_out = f'give a folder outside, such as {shlex.quote(path_hints.output_for(source))}'
    if files.is_inside(source, output_dir):
      return f'is where the input is; {way_out}'
    if dataset == 'folder' and files.is_inside(output_dir, source):
      return (
        f'is inside --input_dir={source}, where the next conversion would look for images in it; '
        f'{way_out}'
      )
  if os.path.exists(output_dir):
    return 'already exists; give another folder, or remove it first'
  return None


def _print_result(result: manifest.Manifest, output_dir: str, meter: progress.Meter) -> None:
  rows = []
  for name, split in result.splits.items():
    counts = split.examples_per_class
    rows.append(
      [
        name,
        f'{split.num_examples}',
        f'{min(counts)} - {max(counts)}',
        f'{len(split.shards)}',
        f'{split.num_bytes / 1e6:.1f}',
      ]
    )
  terminal_tables.print_table(('split', 'images', 'per class', 'shards', 'MB'), rows)
  total = sum(split.num_examples for split in result.splits.values())
  earlier = f' ({meter.before} of them earlier)' if meter.before else ''
  terminal.show(
    f'{counted(total, "image")} of {counted(result.num_classes, "class")}{earlier} in '
    f'{meter.seconds:.1f} s, {progress.format_rate(meter.rate)}, written to {output_dir}.'
  )
  for problem in class_balance.find_problems(result):
    terminal.show(f'Warning: {problem}.')
  if too_long := _describe_elongated(result):
    terminal.show(f'Warning: {too_long}.')
  for problem in audit_files.find_duplicate_problems(output_dir):
    terminal.show(
      f'Warning: {problem}. All copies are kept: delete those that are wrong, remove '
      f'{output_dir}, and convert again.'
    )
  for line in audit_files.describe_lists(output_dir):
    terminal.show(line)
  if result.pixel_range and not _PIXEL_RANGE.value:
    low, high = result.pixel_range
    terminal.show(
      f'The values of the 16-bit images are at most {high:g}, so {low:g}..{high:g} became 0..255. '
      '--pixel_range=0,65535 uses all 16 bits.'
    )
  if said := _describe_split(result):
    terminal.show(said)
  for line in _describe_few_images(result):
    terminal.show(line)
  images = {name: split.num_examples for name, split in result.splits.items()}
  progress.reporter().event('result', output_dir=output_dir, images=images)
  print(f'Next: {installation.call("train")} --data_dir={shlex.quote(output_dir)}')
  terminal.show(
    'It shows the remaining time from the second step on. Ctrl-C saves and stops; the same command '
    'then continues.'
  )


def _describe_split(result: manifest.Manifest) -> str | None:
  """Says that a validation split was drawn which nobody asked for."""
  is_asked_for = _VALIDATION_FRACTION.value is not None or _VALIDATION_PER_CLASS.value is not None
  if is_asked_for or not result.validation_fraction:
    return None
  count = result.split('validation').num_examples
  return (
    f'There was no validation split, so {counted(count, "image")}, '
    f'{result.validation_fraction:.0%} of those for training, became one; '
    '--validation_fraction=0 keeps all for training.'
  )


def _describe_elongated(result: manifest.Manifest) -> str | None:
  """Describes an image that stops dense evaluation at the paper's test scale, and the way out."""
  if result.most_elongated is None:
    return None
  name, height, width = result.most_elongated
  problem = image_area.describe_too_long(printable(name), height, width, TRAIN_SCALE)
  return problem and (
    f'{problem}, unless images are squeezed (--nokeep_aspect_ratio) or scored in the middle alone '
    '(--views=center); leave such images out, or cut them'
  )


def _describe_few_images(result: manifest.Manifest) -> Iterator[str]:
  """Says what few images mean for validation, and what to train then."""
  validation = result.splits.get('validation')
  if validation and 0 < validation.num_examples < _FEW_VALIDATION_IMAGES:
    count = validation.num_examples
    yield f'validation has {counted(count, "image")}, each of which is {1 / count:.1%} of accuracy.'
  train = result.splits.get('train')
  if train and train.num_examples < _FEW_IMAGES_PER_CLASS * result.num_classes:
    yield (
      f'With fewer than {_FEW_IMAGES_PER_CLASS:,} training images per class, published weights '
      'usually help: add --model=vgg16 --weights=imagenet --trainable_scopes=head to the next '
      'command.'
    )


if __name__ == '__main__':
  run()
