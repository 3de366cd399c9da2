import pytest

from vgg_slim.data import class_balance
from vgg_slim.data.manifest import Manifest, Split


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
       'which has 1'],
    ),
    ({'train': (0, 5, 1)}, [
      'train has no images of 1 of the 3 classes: ant',
      'the largest training class, bee, has 5 images, 5 times as many as the smallest, cat, '
      'which has 1',
    ]),
  ],
)  # fmt: skip
def test_empty_and_unequal_classes_are_described(splits, problems):
  assert class_balance.find_problems(manifest(**splits)) == problems
