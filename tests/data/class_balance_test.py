import pytest

from vgg_slim.data import class_balance
from vgg_slim.data.manifest import Manifest, Split

REMEDY = (
  'training can make up for this (--class_weights=balanced or --balanced_batches) and choose its '
  'best epoch accordingly (--best_metric=balanced_accuracy)'
)


def manifest(**splits):
  return Manifest(
    2,
    '0.2.0',
    'folder',
    ('ant', 'bee', 'cat'),
    *[(1.0,) * 3] * 2,
    ((1.0,) * 3,) * 3,
    *(8, 8, True, True, 0, 0.2),
    splits={name: Split(sum(counts), counts, ()) for name, counts in splits.items()},
  )


@pytest.mark.parametrize(
  ('splits', 'problems'),
  [
    ({'train': (4, 5, 6), 'validation': (1, 1, 1)}, []),
    ({'train': (1, 4, 4)}, []),
    (
      {'train': (3, 9, 3), 'validation': (0, 2, 0)},
      ['validation has no images of 2 of the 3 classes: ant, cat'],
    ),
    (
      {'train': (1, 66, 3), 'test': (1, 1, 1)},
      ['the largest training class, bee, has 66 images, 66 times as many as the smallest, ant, '
       f'which has 1; {REMEDY}'],
    ),
    ({'train': (0, 5, 1)}, [
      'train has no images of 1 of the 3 classes: ant',
      'the largest training class, bee, has 5 images, 5 times as many as the smallest, cat, '
      f'which has 1; {REMEDY}',
    ]),
  ],
)  # fmt: skip
def test_empty_and_unequal_classes_are_described(splits, problems):
  assert class_balance.find_problems(manifest(**splits)) == problems


def test_a_run_that_makes_up_for_unequal_classes_has_no_such_problem():
  assert class_balance.find_problems(manifest(train=(1, 66, 3)), is_balanced=True) == []
  assert len(class_balance.find_problems(manifest(train=(0, 66, 3)), is_balanced=True)) == 1


def test_the_warning_starts_at_five_to_one():
  found = [class_balance.find_imbalance(('a', 'b'), counts) for counts in ((10, 49), (10, 50))]
  assert found[0] is None
  assert found[1].startswith('the largest training class, b, has 50 images, 5 times as many as ')
