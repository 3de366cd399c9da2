import collections

import numpy as np
import pytest

from tests.data import fabricated
from vgg_slim.data.conversion import preparation, shard_plans, splitting
from vgg_slim.data.conversion.splitting import SplitRule
from vgg_slim.errors import ConfigError


def plan(source, fraction=0, **options):
  splits = splitting.plan_splits(source, SplitRule(fraction))
  return splits, shard_plans.plan_shards(source, splits, **options)


def counts(planned):
  return dict(collections.Counter(shard.split for shard in planned))


def tasks(source, planned):
  return [task for shard in planned for task in shard_plans.make_tasks(source, shard)]


def test_shards_divide_a_split_in_its_order():
  source = fabricated.source((6, 5), test=(1, 2))
  splits, planned = plan(source, num_shards=4)
  # ceil(4 * 3 / 11) = 2 shards for the 3 test images.
  assert [(shard.file, shard.first, len(shard.plan.order)) for shard in planned] == [
    ('train-00000-of-00004.tfrecord', 0, 2),
    ('train-00001-of-00004.tfrecord', 2, 3),
    ('train-00002-of-00004.tfrecord', 5, 3),
    ('train-00003-of-00004.tfrecord', 8, 3),
    ('test-00000-of-00002.tfrecord', 0, 1),
    ('test-00001-of-00002.tfrecord', 1, 2),
  ]
  for name, split in splits.items():
    parts = [shard.plan.order for shard in planned if shard.split == name]
    np.testing.assert_array_equal(np.concatenate(parts), split.order)


def test_other_splits_have_shards_in_proportion():
  _, planned = plan(fabricated.source((10, 10), test=(3, 2)), num_shards=8)
  assert counts(planned) == {'train': 8, 'test': 2}


def test_default_number_of_shards(monkeypatch):
  _, planned = plan(fabricated.source((600, 600)), 0.1)
  assert counts(planned) == {'train': 4, 'validation': 1}
  # The training split fills 2.2 shards, the test split 16 / 40 of that: 0.88.
  source = fabricated.source((20, 20), test=(8, 8))
  (whole,) = tasks(source, [s for s in plan(source)[1] if s.split == 'train'])
  num_bytes = sum(map(len, preparation.prepare(whole).frames))
  monkeypatch.setattr(shard_plans, '_SHARD_BYTES', num_bytes / 2.2)
  assert counts(plan(source)[1]) == {'train': 3, 'test': 1}


def test_1000_training_images_get_shards_to_read_in_parallel():
  assert counts(plan(fabricated.source((500, 499)))[1]) == {'train': 1}
  assert counts(plan(fabricated.source((500, 500)))[1]) == {'train': 4}


def test_2000_images_are_counted_by_a_sample_of_about_250():
  for count, expected in ((1999, 1), (2000, 8), (2249, 8), (2250, 9)):
    _, planned = plan(fabricated.source((count - 9, 9)))
    assert {shard.sample_every for shard in planned} == {expected}


def test_as_many_shards_as_images():
  _, planned = plan(fabricated.source((4, 4)), num_shards=8)
  assert [len(shard.plan.order) for shard in planned] == [1] * 8


@pytest.mark.parametrize('num_shards', [0, 9])
def test_an_out_of_range_number_of_shards_is_refused(num_shards):
  with pytest.raises(ConfigError, match=rf'must be in \[1, 8\], .* got {num_shards}\.'):
    plan(fabricated.source((4, 4)), num_shards=num_shards)


def test_tasks_divide_a_shard_by_number_or_by_bytes(monkeypatch):
  source = fabricated.source((4, 3), test=(2, 2))
  splits, planned = plan(source, num_shards=1)
  (whole,) = tasks(source, planned[:1])
  assert [image.name for image in whole.images] == [
    source.splits['train'][i].name for i in splits['train'].order
  ]
  assert (whole.class_names, whole.storage.smaller_side, whole.sampled) == (('a', 'b'), None, None)
  largest = max(len(frame) for task in tasks(source, planned) for frame in _frames(task))
  monkeypatch.setattr(shard_plans, '_TASK_BYTES', 2.9 * largest)
  made = tasks(source, plan(source, num_shards=1)[1])
  assert [(len(task.images), task.count_pixels) for task in made] == [
    *[(2, True)] * 3,
    (1, True),
    *[(2, False)] * 2,
  ]
  monkeypatch.setattr(shard_plans, '_TASK_IMAGES', 1)
  assert {len(task.images) for task in tasks(source, plan(source)[1])} == {1}


def _frames(task):
  return preparation.prepare(task).frames


def test_the_pixel_sample_does_not_depend_on_the_shards(monkeypatch):
  monkeypatch.setattr(shard_plans, '_SAMPLED_SPLIT', 12)
  monkeypatch.setattr(shard_plans, '_COUNTED_BY_PIXEL', 4)
  monkeypatch.setattr(shard_plans, '_TASK_IMAGES', 2)
  source = fabricated.source((6, 7), test=(5, 6))
  for num_shards in (1, 3, 5):
    splits, planned = plan(source, num_shards=num_shards)
    made = tasks(source, [shard for shard in planned if shard.split == 'train'])
    sampled = [task.images[i].name for task in made for i in task.sampled]
    order = splits['train'].order
    assert sampled == [source.splits['train'][order[i]].name for i in (0, 3, 6, 9, 12)]
    small = tasks(source, [shard for shard in planned if shard.split == 'test'])
    assert {task.sampled for task in small} == {None}


def test_contact_sheet_shows_the_first_images_of_every_class(monkeypatch):
  monkeypatch.setattr(shard_plans, '_ON_SHEET', 6)
  monkeypatch.setattr(shard_plans, '_TASK_IMAGES', 3)
  source = fabricated.source((9, 1, 4), test=(2, 2, 2))
  splits, planned = plan(source, num_shards=4)
  labels = collections.defaultdict(list)
  for index in splits['train'].order:
    image = source.splits['train'][index]
    labels[image.label].append(image.name)
  made = tasks(source, planned)
  shown = [task.images[i].name for task in made for i in task.on_sheet]
  # Six images of three classes: two of each class, if it has them.
  assert sorted(shown) == sorted(name for names in labels.values() for name in names[:2])
