import dataclasses
import pathlib

import numpy as np
import pytest

from tests.testing import make_data_set
from vgg_slim.configs.config import PreprocessingConfig
from vgg_slim.data.manifest import Elongated
from vgg_slim.doctor import data_set
from vgg_slim.doctor.findings import FAIL, OK, WARN


@pytest.fixture(scope='module')
def made(tmp_path_factory):
  return make_data_set(tmp_path_factory.mktemp('made') / 'data')


def preprocessing(rgb_mean, **others):
  return PreprocessingConfig(rgb_mean, 1.0, 34, 38, **others)


def test_a_sound_data_set_passes(made):
  data_dir, manifest = made
  findings = list(
    data_set.examine_all(data_dir, manifest, preprocessing(manifest.rgb_mean), False, thorough=True)
  )
  assert [finding.level for finding in findings] == [OK] * 5
  assert [finding.about for finding in findings] == [
    *('data set', 'checksums', 'labels', 'pixels', 'network input')
  ]
  # All 18 images are decoded, so both means are equal and the mean of the network input is 0.
  assert 'mean of 18 images' in findings[3].text
  assert np.allclose([float(n) for n in findings[4].text.split()[1:3]], 0, atol=1e-9)


def test_classes_without_images_and_a_missing_validation_split_are_warnings(made):
  manifest = made[1]
  train = dataclasses.replace(manifest.splits['train'], examples_per_class=(18, 0))
  finding = data_set.examine_classes(dataclasses.replace(manifest, splits={'train': train}))
  assert (finding.level, finding.text) == (
    WARN,
    'train has no images of 1 of the 2 classes: class_1',
  )
  uneven = dataclasses.replace(manifest.splits['train'], examples_per_class=(17, 1))
  splits = {**manifest.splits, 'train': uneven}
  found = [
    data_set.examine_classes(dataclasses.replace(manifest, splits=splits), is_balanced)
    for is_balanced in (False, True)
  ]
  assert [finding.level for finding in found] == [WARN, OK]
  assert '--class_weights=balanced or --balanced_batches' in found[0].text
  splits = {'train': manifest.splits['train']}
  finding = data_set.examine_classes(dataclasses.replace(manifest, splits=splits))
  assert finding.level == WARN
  assert '--validation_fraction' in finding.remedy


def test_an_image_that_stops_dense_evaluation_is_a_warning(made):
  strip = Elongated('a/strip\x1b.png', 1, 500)
  manifest = dataclasses.replace(made[1], most_elongated=strip)
  (finding,) = data_set.examine_shapes(manifest, 256)
  assert (finding.level, finding.about) == (WARN, 'shapes')
  assert finding.text == (
    'a/strip\\x1b.png has 500 x 1 pixels, 500 times as wide as high; dense evaluation at Q = 256 '
    'will stop at it'
  )
  assert '--views=center' in finding.remedy
  assert not list(data_set.examine_shapes(manifest, 91))
  for other in (Elongated('x', 64, 1), None):  # 2**22 pixels; an older manifest
    manifest = dataclasses.replace(made[1], most_elongated=other)
    assert not list(data_set.examine_shapes(manifest, 256))


def test_equal_images_in_different_classes_or_splits_are_warnings(tmp_path):
  assert not list(data_set.examine_duplicates(str(tmp_path)))
  (tmp_path / 'duplicates.csv').write_text(
    'group,split,file,class\n'
    '1,train,cat/1.png,cat\n1,train,dog/7.png,dog\n'
    '2,train,cat/2.png,cat\n2,test,cat/3.png,cat\n'
    '3,train,cat/4.png,cat\n3,train,cat/5.png,cat\n'
  )
  classes, splits = data_set.examine_duplicates(str(tmp_path))
  assert classes.level == splits.level == WARN
  assert classes.text == (
    '1 image with a copy in another class, such as cat/1.png (cat) = dog/7.png (dog)'
  )
  assert splits.text == (
    '1 image with a copy in another split, such as cat/2.png (train) = cat/3.png (test)'
  )


def test_labels_outside_the_classes_are_a_failure(made):
  finding = data_set.examine_labels(*made, num_classes=1)
  assert finding.level == FAIL
  assert 'has label 1; with 1 class, 0 to 0 are allowed' in finding.text


def test_a_changed_byte_is_a_failure(made, tmp_path):
  data_dir, manifest = made
  for split in manifest.splits.values():
    for shard in split.shards:
      content = bytearray(pathlib.Path(data_dir, shard.file).read_bytes())
      content[-40] ^= 1
      (tmp_path / shard.file).write_bytes(content)
  finding = data_set.examine_checksums(str(tmp_path), manifest)
  assert finding.level == FAIL
  assert 'Checksums (SHA-256) differ' in finding.text
  assert data_set.examine_labels(str(tmp_path), manifest, 2).level == FAIL


def test_the_mean_of_another_data_set_is_a_warning(made):
  data_dir, manifest = made
  other = dataclasses.replace(manifest, rgb_mean=(0.48, 0.45, 0.4))  # for pixels of 0..1
  pixels, fine = data_set.examine_pixels(data_dir, other, preprocessing(manifest.rgb_mean))
  assert (pixels.level, fine.level) == (WARN, OK)
  assert 'Otherwise the manifest may belong to other images.' in pixels.remedy
  fine, network_input = data_set.examine_pixels(data_dir, manifest, preprocessing(other.rgb_mean))
  assert (fine.level, network_input.level) == (OK, WARN)
  assert 'another data set' in network_input.remedy
  # No mean is subtracted on purpose.
  for rules in (
    preprocessing((0.0,) * 3),
    preprocessing((0.0,) * 3, per_image_standardization=True),
  ):
    _, network_input = data_set.examine_pixels(data_dir, manifest, rules)
    assert network_input.level == OK
  assert network_input.text == 'each image has mean 0, standard deviation 1'
  _, network_input = data_set.examine_pixels(
    data_dir, manifest, preprocessing(other.rgb_mean), starts_from_weights=True
  )
  assert network_input.level == OK
