import pathlib
import sys
import sysconfig

import pytest

from vgg_slim.commands import installation


@pytest.fixture
def installed(tmp_path, monkeypatch):
  """Makes the package seem to lie where pip installs it for a user, outside sys.prefix."""
  root = tmp_path / 'lib' / 'python3.11' / 'site-packages'
  monkeypatch.setattr(installation, '_ROOT', root)
  return tmp_path


def test_only_modules_with_a_main_are_commands(tmp_path):
  (tmp_path / 'wash.py').write_text('"""Washes it.\n\nMore."""\n\ndef main():\n  """Does."""\n')
  (tmp_path / 'soap.py').write_text('"""What washing needs."""\n\ndef scrub(): pass\n')
  assert installation.commands(tmp_path) == {'wash': 'Washes it.'}


def test_a_checkout_calls_commands_by_their_path():
  text = 'Run tools/train_head, then tools/predict.'
  assert installation.call('train_head') == 'tools/train_head'
  assert installation.localize(text) == text


@pytest.fixture
def checkout(tmp_path):
  """The folder of a checkout."""
  root = tmp_path / 'my checkout'
  (root / 'docs').mkdir(parents=True)
  (root / 'tools').mkdir()
  (root / 'tools' / 'run.sh').touch()
  return root


@pytest.mark.parametrize('with_bazel', [False, True])
def test_a_checkout_gives_the_path_of_a_command_to_other_folders(
  checkout, monkeypatch, tmp_path, with_bazel
):
  monkeypatch.setattr(installation, '_ROOT', checkout)
  if with_bazel:
    monkeypatch.setattr(installation, '_ROOT', tmp_path / 'train.runfiles' / 'vgg_slim_workspace')
    monkeypatch.setenv('BUILD_WORKSPACE_DIRECTORY', str(checkout))
  monkeypatch.chdir(checkout)
  assert installation.call('train') == 'tools/train'
  monkeypatch.chdir(checkout / 'docs')
  assert installation.call('train') == f"'{checkout}/tools/train'"
  assert installation.localize('Run tools/train.') == f"Run '{checkout}/tools/train'."
  assert installation.localize('Run tools/train.', installation.short) == 'Run tools/train.'
  monkeypatch.chdir(tmp_path)
  assert installation.call('train') == "'my checkout/tools/train'"


def test_a_current_folder_that_is_gone_is_not_needed(checkout, monkeypatch, tmp_path):
  monkeypatch.setattr(installation, '_ROOT', checkout)
  (tmp_path / 'gone').mkdir()
  monkeypatch.chdir(tmp_path / 'gone')
  (tmp_path / 'gone').rmdir()
  assert installation.call('train') == f"'{checkout}/tools/train'"


def test_bazel_in_another_project_changes_nothing(checkout, installed, monkeypatch, tmp_path):
  other = tmp_path / 'other'
  (other / 'tools').mkdir(parents=True)
  (other / 'pyproject.toml').touch()
  monkeypatch.setenv('BUILD_WORKSPACE_DIRECTORY', str(other))
  assert installation.short('train') == 'vgg-slim-train'
  monkeypatch.setattr(installation, '_ROOT', checkout)
  assert installation.call('train').endswith("/my checkout/tools/train'")
  assert installation.recipes_folder() == checkout / 'recipes'


def test_an_installed_package_names_the_commands_that_pip_made(installed, monkeypatch):
  scripts = installed / 'bin'
  scripts.mkdir()
  for name in ('vgg-slim-train-head', 'vgg-slim-predict'):
    (scripts / name).touch(mode=0o755)
  monkeypatch.setattr(sys, 'executable', str(scripts / 'python'))
  monkeypatch.setenv('PATH', str(scripts))
  assert installation.call('train_head') == 'vgg-slim-train-head'
  assert installation.localize('Run tools/train_head, then tools/predict.') == (
    'Run vgg-slim-train-head, then vgg-slim-predict.'
  )
  monkeypatch.setenv('PATH', '')
  assert installation.call('train_head') == f'{scripts}/vgg-slim-train-head'
  # `pip install --target` makes scripts that do not find the package.
  assert installation.call('doctor') == f'{scripts}/python -m vgg_slim doctor'
  assert installation.short('doctor') == 'vgg-slim-doctor'
  other = installed / 'other'
  other.mkdir()
  (other / 'vgg-slim-doctor').touch(mode=0o755)
  monkeypatch.setenv('PATH', str(other))
  assert installation.call('doctor') == f'{scripts}/python -m vgg_slim doctor'
  monkeypatch.setattr(installation, '_scripts_of_user', lambda: str(other))
  assert installation.call('doctor') == 'vgg-slim-doctor'


def test_a_script_is_named_by_a_path_unless_its_environment_is_active(monkeypatch, tmp_path):
  scripts = tmp_path / 'my env'
  scripts.mkdir()
  (scripts / 'tensorboard').touch(mode=0o755)
  monkeypatch.setattr(sys, 'executable', str(scripts / 'python'))
  monkeypatch.setenv('PATH', '')
  assert installation.script('tensorboard') == f"'{scripts}/tensorboard'"
  monkeypatch.chdir(tmp_path)
  assert installation.script('tensorboard') == "'my env/tensorboard'"
  monkeypatch.chdir(scripts)
  assert installation.script('tensorboard') == './tensorboard'
  assert installation.script('other') == 'other'
  (tmp_path / 'tensorboard').touch(mode=0o755)
  monkeypatch.setenv('PATH', str(tmp_path))
  assert installation.script('tensorboard') == './tensorboard'
  monkeypatch.setenv('PATH', str(scripts))
  assert installation.script('tensorboard') == 'tensorboard'


def test_pip_is_that_of_the_interpreter(monkeypatch, tmp_path):
  text = 'onnx is not installed: pip install onnx'
  monkeypatch.setattr(sys, 'executable', '/opt/my env/bin/python')
  assert installation.localize(text) == (
    "onnx is not installed: '/opt/my env/bin/python' -m pip install onnx"
  )
  monkeypatch.setattr(sys, 'executable', str(tmp_path / '.venv/bin/python'))
  monkeypatch.chdir(tmp_path)
  assert installation.localize(text).endswith(': .venv/bin/python -m pip install onnx')
  elsewhere = 'in an environment of its own: python -m pip install apache-beam'
  assert installation.localize(elsewhere) == elsewhere


@pytest.mark.parametrize(
  'text',
  [
    '/home/me/tools/train',
    '--output=tools/weights: is a folder',
    'tools/photos',
    'tools/train/x.jpg',
    'tools/train.py',
  ],
)
def test_paths_of_users_are_left_alone(installed, text):
  assert installation.localize(text) == text


def test_recipes_of_the_checkout():
  assert installation.recipes()['digits_vgg16'] == (
    pathlib.Path(__file__).parents[2] / 'recipes' / 'digits_vgg16.flags'
  )


def test_recipes_of_an_installed_package_are_in_the_share_of_its_prefix(installed):
  folder = installed / 'share' / 'vgg_slim' / 'recipes'
  assert installation.recipes_folder() == folder
  folder.mkdir(parents=True)
  (folder / 'mine.flags').touch()
  assert installation.recipes() == {'mine': folder / 'mine.flags'}


def test_recipes_of_a_package_in_a_folder_of_its_own(tmp_path, monkeypatch):
  monkeypatch.setattr(installation, '_ROOT', tmp_path)  # pip install --target
  folder = tmp_path / 'share' / 'vgg_slim' / 'recipes'
  folder.mkdir(parents=True)
  assert installation.recipes_folder() == folder


def test_recipes_may_also_be_in_the_data_folder_of_python(installed, tmp_path, monkeypatch):
  folder = tmp_path / 'data' / 'share' / 'vgg_slim' / 'recipes'
  folder.mkdir(parents=True)
  monkeypatch.setattr(sysconfig, 'get_path', lambda name: str(tmp_path / name))
  assert installation.recipes_folder() == folder
