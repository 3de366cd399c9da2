import pytest

from vgg_slim.data import path_hints


@pytest.mark.parametrize(
  ('path', 'expected'),
  [
    ('data/pet', ' Did you mean data/pets?'),
    ('data/pest/', ' Did you mean data/pets?'),
    ('dat', ' Did you mean data?'),
    ('dta/pets', ' Did you mean data/pets?'),
    ('dta/pet', ' Did you mean data/pets?'),
    ('data/birds', ''),
    ('nowhere/pets', ''),
  ],
)
def test_a_similar_path_is_suggested(tmp_path, monkeypatch, path, expected):
  (tmp_path / 'data' / 'pets').mkdir(parents=True)
  (tmp_path / 'data' / '.birds').mkdir()
  monkeypatch.chdir(tmp_path)
  assert path_hints.similar(path) == expected
  absolute = expected.replace('data', f'{tmp_path}/data')
  assert path_hints.similar(tmp_path / path) == absolute


def test_images_are_found_as_deep_as_the_converter_expects_them(tmp_path):
  folder = tmp_path / 'train' / 'cat' / 'more'
  folder.mkdir(parents=True)
  (folder / '0.png').touch()
  assert path_hints.conversion(tmp_path) == ''
  (folder.parent / '0.png').touch()
  assert path_hints.conversion(tmp_path)
