import dataclasses
import hashlib
import json

import pytest

from vgg_slim.data import manifest
from vgg_slim.errors import DataError

SHARDS = {'train-00000-of-00002.tfrecord': b'first', 'train-00001-of-00002.tfrecord': b'second!'}


def example_manifest():
  shards = tuple(
    manifest.Shard(name, 2, len(data), hashlib.sha256(data).hexdigest())
    for name, data in SHARDS.items()
  )
  return manifest.Manifest(
    format_version=2,
    vgg_slim_version='0.1.0',
    dataset='folder',
    class_names=('cat', 'dog'),
    rgb_mean=(1.5, 2.25, 1 / 3),
    rgb_std=(4.0, 5.0, 6.0),
    rgb_covariance=((16.0, 1.0, 2.0), (1.0, 25.0, 1 / 3), (2.0, 1 / 3, 36.0)),
    smallest_side=5,
    largest_side=7,
    same_size=False,
    mirror_safe=True,
    seed=3,
    validation_fraction=0.25,
    splits={'train': manifest.Split(4, (1, 3), shards)},
    most_elongated=manifest.Elongated('cat/1.png', 5, 7),
  )


@pytest.fixture
def data_dir(tmp_path):
  for name, data in SHARDS.items():
    (tmp_path / name).write_bytes(data)
  manifest.write_manifest(tmp_path, example_manifest())
  return tmp_path


def edit(data_dir, change):
  path = data_dir / 'manifest.json'
  values = json.loads(path.read_text())
  change(values)
  path.write_text(json.dumps(values))


def test_a_manifest_is_read_as_it_was_written(data_dir):
  assert manifest.read_manifest(data_dir) == example_manifest()
  assert manifest.read_manifest(str(data_dir)).num_classes == 2
  assert (data_dir / 'labels.txt').read_text() == '0:cat\n1:dog\n'


def test_splits_give_their_size_and_paths(data_dir):
  m = manifest.read_manifest(data_dir)
  assert m.split('train').num_bytes == 12
  assert manifest.shard_paths(data_dir, m, 'train') == [str(data_dir / name) for name in SHARDS]
  with pytest.raises(DataError, match="no split 'test'; this data set has train"):
    manifest.shard_paths(data_dir, m, 'test')


@pytest.mark.parametrize(
  ('splits', 'expected'),
  [
    (('train', 'validation', 'test'), 'validation'),
    (('train', 'test'), 'test'),
    (('train',), 'train'),
  ],
)
def test_train_is_evaluated_only_without_other_splits(splits, expected):
  assert manifest.split_to_evaluate(splits) == expected


def test_fingerprint_depends_on_names_and_bytes_only():
  m = example_manifest()
  assert len(m.fingerprint) == 16
  assert dataclasses.replace(m, vgg_slim_version='9', seed=8).fingerprint == m.fingerprint
  assert dataclasses.replace(m, class_names=('cat', 'cow')).fingerprint != m.fingerprint
  train = m.splits['train']
  other = (train.shards[0], dataclasses.replace(train.shards[1], sha256='0'))
  changed = {'train': dataclasses.replace(train, shards=other)}
  assert dataclasses.replace(m, splits=changed).fingerprint != m.fingerprint


def test_uniform_pixels_is_known_only_if_all_sizes_are_equal():
  m = example_manifest()
  assert m.uniform_pixels is None
  assert dataclasses.replace(m, same_size=True).uniform_pixels == 35


def test_missing_folder_and_missing_manifest_are_named(tmp_path):
  with pytest.raises(DataError, match='nowhere is not a folder'):
    manifest.read_manifest(tmp_path / 'nowhere')
  with pytest.raises(DataError, match=r'has no manifest\.json'):
    manifest.read_manifest(tmp_path)


def test_a_folder_of_images_is_answered_with_the_command_that_converts_it(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  (tmp_path / 'my pets' / 'cat').mkdir(parents=True)
  (tmp_path / 'my pets' / 'cat' / 'notes.txt').touch()
  with pytest.raises(DataError, match=r'is not a complete converted data set\.$'):
    manifest.read_manifest('my pets')
  (tmp_path / 'my pets' / 'cat' / '0.JPG').touch()
  command = (
    "tools/convert_to_tfrecord --dataset=folder --input_dir='my pets' --output_dir='{0}', "
    "and give --data_dir='{0}'."
  )
  for output in ('data/my pets', 'data/my pets_converted'):
    with pytest.raises(DataError) as error:
      manifest.read_manifest(tmp_path / 'my pets')
    assert str(error.value).endswith(command.format(output))
    (tmp_path / output).mkdir(parents=True)


def test_a_manifest_that_is_not_json_is_refused(data_dir):
  (data_dir / 'manifest.json').write_text('{"format_version": 1,')
  with pytest.raises(DataError, match=r'manifest\.json: not JSON: .*line 1'):
    manifest.read_manifest(data_dir)


def test_another_format_version_is_refused(data_dir):
  edit(data_dir, lambda values: values.update(format_version=3, something_new=0))
  with pytest.raises(DataError, match=r'format_version is 3; vgg_slim \S+ reads 2'):
    manifest.read_manifest(data_dir)


def test_all_problems_are_listed(data_dir):
  def change(values):
    del values['seed'], values['dataset']
    values.update(color=1, rgb_mean=[1, 2], rgb_covariance=[[1, 2, 3]], same_size='no')

  edit(data_dir, change)
  with pytest.raises(DataError) as caught:
    manifest.read_manifest(data_dir)
  assert "missing ['dataset', 'seed']" in str(caught.value)
  assert "unknown ['color']" in str(caught.value)
  assert 'rgb_mean must be three numbers, got [1, 2]' in str(caught.value)
  assert 'rgb_covariance must be three rows of three numbers, got [[1, 2, 3]]' in str(caught.value)
  assert "same_size must be true or false, got 'no'" in str(caught.value)


@pytest.mark.parametrize(
  ('change', 'message'),
  [
    (lambda s: s.pop('shards'), r"split 'train': missing \['shards'\]"),
    (lambda s: s['shards'][1].pop('sha256'), r"split 'train', shard 1: missing \['sha256'\]"),
    (lambda s: s['shards'][0].update(file='../x'), 'must be the name of a file in this folder'),
    (lambda s: s.update(num_examples=5), 'num_examples is 5, but its shards add up to 4'),
    (lambda s: s.update(examples_per_class=[4]), 'has 1 number for 2 class names'),
  ],
)
def test_a_broken_split_is_named(data_dir, change, message):
  edit(data_dir, lambda values: change(values['splits']['train']))
  with pytest.raises(DataError, match=message):
    manifest.read_manifest(data_dir)


def test_numbers_may_be_zero(data_dir):
  def change(values):
    values.update(seed=0, validation_fraction=0, rgb_mean=[0, 0, 0])
    values['splits']['train'].update(examples_per_class=[0, 4])

  edit(data_dir, change)
  read = manifest.read_manifest(data_dir)
  assert (read.seed, read.split('train').examples_per_class) == (0, (0, 4))


@pytest.mark.parametrize(
  ('wrong', 'message'),
  [
    ({'seed': -1}, 'seed must be an integer of at least 0, got -1'),
    ({'seed': 1.0}, 'seed must be an integer'),
    ({'seed': True}, 'seed must be an integer'),
    ({'splits': {'../../pwned': {}}}, r"splits must be an object whose members are of \('train'"),
    ({'validation_fraction': True}, 'validation_fraction must be a number'),
    ({'validation_fraction': float('nan')}, 'NaN is not a number of JSON'),
    ({'class_names': ['cat', 3]}, 'class_names must be a list of strings'),
    ({'class_names': 'cat'}, 'class_names must be a list of strings'),
    ({'rgb_mean': [1, 'x', 2]}, 'rgb_mean must be three numbers'),
    ({'rgb_covariance': [[1, 2, 3], [1, 2, 3], [1, 2]]}, 'rgb_covariance must be three rows'),
    ({'rgb_covariance': [[1, 2, 3]] * 4}, 'rgb_covariance must be three rows'),
    ({'splits': []}, 'splits must be an object'),
  ],
)
def test_values_of_the_wrong_type_are_refused(data_dir, wrong, message):
  edit(data_dir, lambda values: values.update(wrong))
  with pytest.raises(DataError, match=message):
    manifest.read_manifest(data_dir)


def test_a_list_is_not_a_manifest(data_dir):
  (data_dir / 'manifest.json').write_text('[]')
  with pytest.raises(DataError, match='must be an object, got list'):
    manifest.read_manifest(data_dir)


def test_a_missing_or_different_label_file_is_an_error(data_dir):
  (data_dir / 'labels.txt').write_text('0:cat\n1:cow\n')
  with pytest.raises(DataError, match=r"labels\.txt disagrees .* line 2 is 'cow', expected 'dog'"):
    manifest.read_manifest(data_dir)
  (data_dir / 'labels.txt').unlink()
  with pytest.raises(DataError, match=r'labels\.txt cannot be read'):
    manifest.read_manifest(data_dir)


def test_all_missing_and_resized_shards_are_named(data_dir):
  first, second = (data_dir / name for name in SHARDS)
  first.unlink()
  second.write_bytes(b'longer than before')
  with pytest.raises(DataError) as caught:
    manifest.read_manifest(data_dir)
  assert f'{first} is missing' in str(caught.value)
  assert f'{second} has 18 bytes, expected 7' in str(caught.value)


def test_checksums_find_a_changed_byte_in_a_shard_of_the_same_size(data_dir):
  m = manifest.read_manifest(data_dir)
  manifest.check_checksums(data_dir, m)
  path = data_dir / 'train-00001-of-00002.tfrecord'
  path.write_bytes(b'second?')
  assert manifest.read_manifest(data_dir) == m
  with pytest.raises(DataError, match=r'train-00001-of-00002\.tfrecord has [0-9a-f]{64}, expected'):
    manifest.check_checksums(data_dir, m)
