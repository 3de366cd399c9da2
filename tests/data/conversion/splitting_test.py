import dataclasses
import math
import pathlib

import keras
import numpy as np
import pytest

from tests.data import fabricated
from vgg_slim.data.conversion import splitting
from vgg_slim.data.conversion.splitting import SplitRule
from vgg_slim.data.sources import catalog
from vgg_slim.errors import ConfigError, DataError


def names_of(plan):
  return [plan.images[i].name for i in plan.order]


def per_class(plan, num_classes):
  return np.bincount(plan.labels(), minlength=num_classes).tolist()


def test_565_birds_become_452_and_113():
  source = fabricated.source((150, 140, 145, 130))
  plans = splitting.plan_splits(source, SplitRule(0.2, seed=123))
  assert {name: len(plan.order) for name, plan in plans.items()} == {
    'train': 452,
    'validation': 113,
  }
  assert sorted(names_of(plans['train']) + names_of(plans['validation'])) == [
    image.name for image in source.splits['train']
  ]
  assert names_of(plans['train']) != sorted(names_of(plans['train']))
  assert names_of(plans['validation']) == sorted(names_of(plans['validation']))


def test_a_number_of_images_per_class():
  source = fabricated.source((10, 20, 5), test=(1, 2, 1))
  plans = splitting.plan_splits(source, SplitRule(per_class=3))
  assert list(plans) == ['train', 'validation', 'test']
  assert per_class(plans['train'], 3) == [7, 17, 2]
  assert per_class(plans['validation'], 3) == [3, 3, 3]
  assert splitting.validation_fraction(source, plans, SplitRule(per_class=3)) == 9 / 35
  other = splitting.plan_splits(source, SplitRule(per_class=3, seed=1))
  assert names_of(other['validation']) != names_of(plans['validation'])


def test_by_hash_no_image_changes_splits_when_images_are_added():
  rule = SplitRule(0.3, by_hash=True)
  few, many = (
    splitting.plan_splits(fabricated.source((count, 500)), rule)['validation']
    for count in (400, 500)
  )
  # Images are numbered: the names of 900 images are the first of those of 1000.
  assert set(names_of(few)) == set(names_of(many)) & {f'train/{i:05d}' for i in range(900)}
  # 300 of 1000 are expected, with a standard deviation of 14.5.
  assert 240 < len(many.order) < 360
  other = splitting.plan_splits(fabricated.source((400, 500)), SplitRule(0.3, by_hash=True, seed=1))
  assert names_of(other['validation']) != names_of(few)


def test_validation_split_of_the_source_is_kept():
  source = fabricated.source((4, 4), validation=(1, 2))
  plans = splitting.plan_splits(source, SplitRule())
  assert per_class(plans['validation'], 2) == [1, 2]
  assert splitting.validation_fraction(source, plans, SplitRule()) == 0


@pytest.mark.parametrize(
  ('arguments', 'message'),
  [
    ({'fraction': 1}, r'must be in \[0, 1\), got 1'),
    ({'fraction': -0.1}, r'must be in \[0, 1\), got -0.1'),
    ({'fraction': math.nan}, r'must be in \[0, 1\), got nan'),
    ({'seed': -1}, r'seed must be in \[0, 2147483647\], got -1'),
    ({'per_class': 0}, 'validation_per_class must be at least 1, got 0'),
    ({'per_class': 1, 'fraction': 0.1}, 'validation_per_class excludes validation_fraction'),
    ({'per_class': 1, 'by_hash': True}, 'excludes validation_fraction and split_by_hash'),
  ],
)
def test_out_of_range_rules_are_refused(arguments, message):
  with pytest.raises(ConfigError, match=message):
    SplitRule(**arguments)


def test_the_ends_of_each_range_are_allowed():
  assert SplitRule(0.0, seed=0) == SplitRule(0, seed=0)
  assert SplitRule(per_class=1, seed=2**31 - 1).per_class == 1


def test_a_fifth_is_for_validation_by_default():
  plans = splitting.plan_splits(fabricated.source((10, 10)), SplitRule())
  assert [len(plans[name].order) for name in ('train', 'validation')] == [16, 4]
  # One image of each class in either split is enough.
  for fraction, expected in ((0.25, [6, 2]), (0.75, [2, 6])):
    plans = splitting.plan_splits(fabricated.source((4, 4)), SplitRule(fraction))
    assert [len(plans[name].order) for name in ('train', 'validation')] == expected


@pytest.mark.parametrize(
  ('counts', 'rule', 'error', 'message'),
  [
    ((4, 4), SplitRule(0.1), ConfigError, '7 for training and 1 for .* --validation_per_class=1'),
    ((4, 4), SplitRule(0.9), ConfigError, '0 for training and 8 for validation'),
    ((40, 2), SplitRule(0.9), ConfigError, '1 class without training images'),
    (
      (4, 1, 1),
      SplitRule(),
      DataError,
      r'at least 2 training images, .*: b \(1\), c \(1\)\. --validation_fraction=0',
    ),
    ((4, 0), SplitRule(0), DataError, r'at least 1 training image; .*: b \(0\)'),
    ((9, 2), SplitRule(per_class=2), ConfigError, '_per_class=2 leaves 1 class without train'),
    ((4, 4), SplitRule(1e-9, by_hash=True), ConfigError, 'leaves the validation split without'),
  ],
)
def test_rules_that_do_not_fit_the_images_are_refused(counts, rule, error, message):
  with pytest.raises(error, match=message):
    splitting.plan_splits(fabricated.source(counts), rule)


@pytest.mark.parametrize('rule', [SplitRule(0.5), SplitRule(per_class=1)])
def test_a_second_validation_split_is_refused(rule):
  with pytest.raises(ConfigError, match='must be 0 or left out, got .*: folder has a validation'):
    splitting.plan_splits(fabricated.source((4, 4), validation=(1, 1)), rule)


def test_an_empty_split_is_named():
  with pytest.raises(DataError, match="Split 'test' of folder has no images"):
    splitting.plan_splits(fabricated.source((4, 4), test=(0, 0)), SplitRule())


@pytest.mark.parametrize(
  'rule', [SplitRule(0.5), SplitRule(per_class=1), SplitRule(0.5, by_hash=True), SplitRule(0)]
)
def test_classes_listed_by_the_user_may_be_empty(rule):
  source = fabricated.source((4, 0, 6))
  with pytest.raises(DataError, match=r'too few: b \(0\)'):
    splitting.plan_splits(source, rule)
  plans = splitting.plan_splits(dataclasses.replace(source, classes_given=True), rule)
  assert set(plans['train'].labels()) == {0, 2}


def keras_tree(root):
  """Files of two classes, some in folders and some that Keras does not list, as a source."""
  rng = np.random.default_rng(3)
  for i in range(60):
    folder = root / ('cat', 'dog')[i % 3 == 0] / ('', 'b', 'a/c', 'a')[rng.integers(4)]
    folder.mkdir(parents=True, exist_ok=True)
    extension = ('png', 'PNG', 'bmp', 'tif', 'webp')[rng.integers(5)]
    array = fabricated.pixels(i, 4, 4)
    image_format = {'tif': 'TIFF'}.get(extension, extension.upper())
    (folder / f'{i * 7 % 60}.{extension}').write_bytes(fabricated.encoded(array, image_format))
  return catalog.open_source('folder', root, ('cat', 'dog'))


@pytest.mark.parametrize('seed', [1, 1337])
def test_keras_draws_the_same_images(tmp_path, seed):
  source = keras_tree(tmp_path)
  plans = splitting.plan_splits(source, SplitRule(0.3, seed=seed, like='keras'))
  _, theirs = keras.utils.image_dataset_from_directory(
    tmp_path, validation_split=0.3, subset='both', seed=seed, verbose=False
  )
  expected = [str(pathlib.Path(path).relative_to(tmp_path)) for path in theirs.file_paths]
  assert len(expected) > 8
  assert sorted(names_of(plans['validation'])) == sorted(expected)


def test_the_generator_of_keras_draws_the_same_images(tmp_path):
  source = keras_tree(tmp_path)
  plans = splitting.plan_splits(source, SplitRule(0.3, like='keras_generator'))
  generator = keras.src.legacy.preprocessing.image.ImageDataGenerator(validation_split=0.3)
  theirs = generator.flow_from_directory(tmp_path, subset='validation')
  assert len(theirs.filenames) > 8
  assert sorted(names_of(plans['validation'])) == sorted(theirs.filenames)


def test_a_split_like_keras_excludes_other_rules():
  with pytest.raises(ConfigError, match='split_like excludes split_by_hash'):
    SplitRule(0.2, by_hash=True, like='keras')
  with pytest.raises(ConfigError, match='split_like=keras has no effect without'):
    splitting.plan_splits(fabricated.source((4, 4)), SplitRule(0, like='keras'))
  with pytest.raises(ConfigError, match='split_like must be one of keras, keras_generator'):
    SplitRule(0.2, like='torch')
