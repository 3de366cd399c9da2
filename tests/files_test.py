import pytest

from vgg_slim import files


def test_write_text_replaces_and_leaves_nothing_else(tmp_path):
  path = tmp_path / 'file'
  files.write_text(path, 'one')
  files.write_text(path, 'zwei: ü')
  assert path.read_text(encoding='utf-8') == 'zwei: ü'
  assert list(tmp_path.iterdir()) == [path]


def test_staged_folder_appears_whole(tmp_path):
  with files.staged_folder(tmp_path / 'new' / 'out') as staging:
    (staging / 'file').write_text('x')
    assert not (tmp_path / 'new' / 'out').exists()
  assert (tmp_path / 'new' / 'out' / 'file').read_text() == 'x'


def test_staged_folder_leaves_nothing_after_an_error(tmp_path):
  with pytest.raises(RuntimeError), files.staged_folder(tmp_path / 'out') as staging:
    (staging / 'file').write_text('x')
    raise RuntimeError
  assert list(tmp_path.iterdir()) == []


def test_staged_folder_refuses_an_existing_one(tmp_path):
  with pytest.raises(FileExistsError), files.staged_folder(tmp_path):
    pass
