"""Extracts bottleneck features: a trunk runs once over a data set, one layer's output is kept.

  tools/extract_features --checkpoint_path=weights/vgg16 --data_dir=data/photos --image_size=150 \\
      --output=features/photos
  tools/extract_features --train_dir=runs/photos --data_dir=data/photos --layer=conv4_3 \\
      --test_scale=256 --passes=4 --output=features/photos_conv4

OUTPUT holds a SPLIT.npz for each split, with the arrays `features` [N, h, w, C], `labels` [N] and
`names` [N] in the order of the files, and `features.json`, which says what they were made from:
with the same weights, preprocessing, data and layer nothing is computed again. tools/train_head
trains on them.

The first pass sees the central --image_size of a picture whose smaller side is --test_scale. With
--passes=P the train split is seen P - 1 times more, with random crops and mirror images.
"""

import pathlib

from absl import flags

from vgg_slim import files, locks, output_files
from vgg_slim.commands import invocation, progress
from vgg_slim.commands.flags import checkpoint_flags
from vgg_slim.data import manifest as manifests
from vgg_slim.features import cache

checkpoint_flags.define()
_DATA_DIR = flags.DEFINE_string('data_dir', None, 'Folder made by tools/convert_to_tfrecord.')
_OUTPUT = flags.DEFINE_string('output', None, 'Folder for the features.')
_SPLITS = flags.DEFINE_list('splits', None, 'Splits, with commas. By default all.')
_LAYER = flags.DEFINE_string('layer', None, "By default the trunk's last map, such as pool5.")
_IMAGE_SIZE = flags.DEFINE_integer(
  'image_size', None, "Side of the crop in pixels. By default the checkpoint's.", lower_bound=1
)
_TEST_SCALE = flags.DEFINE_integer(
  'test_scale',
  None,
  "Smaller side before the crop. By default the checkpoint's, or 8/7 of --image_size.",
  lower_bound=1,
)
_PASSES = flags.DEFINE_integer('passes', 1, 'Passes over the train split.', lower_bound=1)
_SEED = flags.DEFINE_integer('seed', 0, 'Of crops and mirror images.')
_BATCH_SIZE = flags.DEFINE_integer('batch_size', 32, 'Pictures at once.', lower_bound=1)


def main() -> None:
  """Wires a checkpoint, a data set and the cache together."""
  invocation.check_given(_DATA_DIR, _OUTPUT)
  checkpoint, contract = checkpoint_flags.load_contract()
  manifest = manifests.read_manifest(_DATA_DIR.value)
  splits = _SPLITS.value or list(manifest.splits)
  counts = {split: manifest.split(split).num_examples for split in splits}
  folder = pathlib.Path(_OUTPUT.value)
  output_files.check_outputs(folders=invocation.values_by_flag(_OUTPUT))

  invocation.load_tensorflow()
  from vgg_slim.features import bottleneck

  key = bottleneck.make_key(
    checkpoint,
    contract,
    manifest,
    _LAYER.value,
    _IMAGE_SIZE.value,
    _TEST_SCALE.value,
    _PASSES.value,
    _SEED.value,
  )
  with locks.hold(folder):
    files.remove_temporaries(folder)
    cache.open_folder(folder, key)
    for split, count in counts.items():
      path = cache.features_path(folder, split)
      if path.exists():
        print(f'{path} is there: {count} pictures, nothing to do.')
        continue
      with progress.show(f'Extracting {split}') as report:
        bottleneck.run_extraction(
          key, checkpoint, _DATA_DIR.value, manifest, split, path, _BATCH_SIZE.value, report
        )
      print(f'Wrote {path}: {key.layer} of {count} pictures.')


def run() -> None:
  """The console command."""
  invocation.run(main)


if __name__ == '__main__':
  run()
