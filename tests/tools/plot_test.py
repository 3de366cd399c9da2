import PIL.Image
import pytest

from tests.testing import make_data_set, run_tool, train_config
from tools import plot
from vgg_slim import config


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  """A folder with the data set `data` and the train_dir `run`, of which only the config is read."""
  folder = tmp_path_factory.mktemp('plot')
  data_dir, manifest = make_data_set(folder / 'data')
  (folder / 'run').mkdir()
  config.write_train_config(str(folder / 'run'), train_config(data_dir, manifest))
  return folder


@pytest.mark.parametrize(
  'arguments',
  [['--data_dir=data', '--train_scale_max=40'], ['--train_dir=run', '--split=validation']],
)
def test_samples(folder, monkeypatch, capsys, arguments):
  monkeypatch.chdir(folder)
  assert run_tool(plot, '--what=samples', '--count=4', '--output=grid.png', *arguments) == 0
  assert capsys.readouterr().out == 'grid.png is written.\n'
  with PIL.Image.open(folder / 'grid.png') as picture:
    assert min(picture.size) > 200


@pytest.mark.parametrize(
  ('arguments', 'message'),
  [
    ([], '--what is missing, one of samples'),
    (['--what=samples'], '--train_dir or --data_dir is missing'),
    (['--what=samples', '--data_dir=data', '--split=dev'], "no split 'dev'"),
    (['--what=samples', '--data_dir=data', '--output=a.txt'], "Format 'txt' is not supported"),
  ],
)
def test_mistakes_are_one_line(folder, monkeypatch, capsys, arguments, message):
  monkeypatch.chdir(folder)
  assert run_tool(plot, *arguments) == 1
  error = capsys.readouterr().err
  assert message in error
  assert len(error.splitlines()) == 1
