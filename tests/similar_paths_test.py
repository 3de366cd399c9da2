import os

import pytest

from vgg_slim import similar_paths


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
  assert similar_paths.suggest(path) == expected
  absolute = expected.replace('data', f'{tmp_path}/data')
  assert similar_paths.suggest(tmp_path / path) == absolute


def test_a_file_is_suggested_unless_only_a_folder_can_be_meant(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  (tmp_path / 'runs').mkdir()
  (tmp_path / 'runs' / 'photos.csv').touch()
  os.symlink('loop', tmp_path / 'runs' / 'loop')
  for path in ('runs/photo.csv', 'run/photos.csv', 'run/photo.csv'):
    assert similar_paths.suggest(path) == ' Did you mean runs/photos.csv?'
    assert similar_paths.suggest(path, only_folders=True) == ''
  assert similar_paths.suggest('runs/photos.csv', only_folders=True) == ''
  assert similar_paths.suggest('runs/loo') == ''  # such a link leads nowhere
  (tmp_path / 'runs' / 'photos').mkdir()
  assert similar_paths.suggest('runs/phot', only_folders=True) == ' Did you mean runs/photos?'
