"""Extracts bottleneck features: runs a trunk over a data set once and keeps the output of a layer.

  tools/extract_features --weights=imagenet --data_dir=data/photos --image_size=150 \\
      --output=features/photos
  tools/extract_features --train_dir=runs/photos --data_dir=data/photos --layer=conv4_3 \\
      --test_scale=256 --passes=4 --output=features/photos_conv4

OUTPUT holds one SPLIT.npz per split, with the arrays `features` [N, h, w, C], `labels` [N] and
`names` [N] in the order of the records, in which the images of the training split are shuffled, and
`features.json`, which records what they were computed from: with the same weights, preprocessing,
data, layer and precision, nothing is computed again. tools/train_head trains on them.

The first pass sees the central crop of each image, --image_size pixels wide, after the image was
resized to a smaller side of --test_scale. With --passes=P, the training split is seen P - 1 more
times, randomly cropped and flipped.
"""

import dataclasses
import pathlib

from absl import flags

from vgg_slim import files, locks, output_files
from vgg_slim.checkpoints import contract as contracts
from vgg_slim.commands import invocation, progress
from vgg_slim.commands.flags import checkpoint_flags, precision_flag
from vgg_slim.configs.runtime import AUTO
from vgg_slim.data import manifest as manifests
from vgg_slim.features import cache
from vgg_slim.nets import geometry, specs
from vgg_slim.wording import counted

checkpoint_flags.define()
checkpoint_flags.define_weights()
_DATA_DIR = flags.DEFINE_string('data_dir', None, 'Folder made by tools/convert_to_tfrecord.')
_OUTPUT = flags.DEFINE_string('output', None, 'Folder to write the features to.')
_SPLITS = flags.DEFINE_list('splits', None, 'Comma-separated splits. Defaults to all.')
_LAYER = flags.DEFINE_string(
  'layer',
  None,
  'Layer whose output is extracted. Defaults to the last feature map of the trunk, such as pool5.',
)
_IMAGE_SIZE = flags.DEFINE_integer(
  'image_size',
  None,
  'Side of the crop, in pixels. Defaults to that of the checkpoint.',
  lower_bound=1,
)
_TEST_SCALE = flags.DEFINE_integer(
  'test_scale',
  None,
  'Smaller side that images are resized to before the crop, in pixels. Defaults to that of the '
  'checkpoint, or to 8/7 of --image_size, rounded down to a multiple of 32.',
  lower_bound=1,
)
_PASSES = flags.DEFINE_integer(
  'passes', 1, 'Number of passes over the training split.', lower_bound=1
)
_SEED = flags.DEFINE_integer('seed', 0, 'Random seed for crops and flips.', lower_bound=0)
_BATCH_SIZE = flags.DEFINE_integer('batch_size', 32, 'Number of images per batch.', lower_bound=1)
precision_flag.define()


def main() -> None:
  """Extracts the features of each split that has none yet."""
  data_dir, output = invocation.required(_DATA_DIR, _OUTPUT)
  manifest = manifests.read_manifest(data_dir)
  splits = _SPLITS.value or list(manifest.splits)
  counts = {split: manifest.split(split).num_examples for split in splits}
  folder = pathlib.Path(output)
  output_files.check_outputs(folders=invocation.values_by_flag(_OUTPUT))
  needs_head = _is_in_head(_LAYER.value)
  _check_sides_and_layer(contracts.load_contract(checkpoint_flags.path(needs_head))[1])

  invocation.load_tensorflow()
  from vgg_slim.features import bottleneck

  precision_flag.warn()
  wanted = flags.FLAGS.precision
  checkpoint, contract = checkpoint_flags.load_contract(needs_head)
  key = bottleneck.make_key(
    checkpoint,
    contract,
    manifest,
    _LAYER.value,
    _IMAGE_SIZE.value,
    _TEST_SCALE.value,
    _PASSES.value,
    _SEED.value,
    'float32' if wanted == AUTO else wanted,
  )
  with locks.hold(folder):
    files.remove_temporaries(folder)
    if wanted == AUTO:
      largest = max(splits, key=lambda split: counts[split])
      precision = _choose_precision(key, folder, checkpoint, data_dir, manifest, largest)
      key = dataclasses.replace(key, precision=precision)
    cache.open_folder(folder, key)
    for split, count in counts.items():
      path = cache.features_path(folder, split)
      if path.exists():
        print(f'{path} already exists with {counted(count, "image")}; nothing to do.')
        continue
      with progress.show(f'Extracting {split}') as report:
        bottleneck.run_extraction(
          key, checkpoint, data_dir, manifest, split, path, _BATCH_SIZE.value, report
        )
      print(f'Wrote {path}: {key.layer} of {counted(count, "image")}, {key.precision}.')


def _choose_precision(
  key: cache.FeatureKey,
  folder: pathlib.Path,
  checkpoint: str,
  data_dir: str,
  manifest: manifests.Manifest,
  split: str,
) -> str:
  """Returns the precision of the features in the folder, or the one that the images allow."""
  from vgg_slim.features import bottleneck

  if (folder / cache.KEY_FILE).exists():
    before = cache.read_key(folder).precision
    if before != key.precision:
      print(f'{folder} holds features in {before}: --precision=auto keeps to it.')
    return before
  proof = bottleneck.prove_precision(key, checkpoint, data_dir, manifest, split, _BATCH_SIZE.value)
  if proof:
    print(proof.describe())
  return proof.precision if proof and proof.holds else key.precision


def _is_in_head(layer: str | None) -> bool:
  """Whether --layer is a fully-connected one of --model, which published trunks lack."""
  spec = specs.get(flags.FLAGS.model)
  return layer in {row.name for row in spec.layers(num_classes=2) if row.kind == 'fc'}


def _check_sides_and_layer(contract: contracts.Contract) -> None:
  cache.choose_sides(contract, _IMAGE_SIZE.value, _TEST_SCALE.value)
  if _LAYER.value:
    geometry.find_layer(specs.get(contract.network.model), _LAYER.value)


def run() -> None:
  """Entry point of the console command."""
  invocation.run(main)


if __name__ == '__main__':
  run()
