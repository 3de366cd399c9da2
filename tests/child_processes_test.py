import os
import pathlib
import subprocess
import sys

from vgg_slim import child_processes


def test_a_child_finds_the_modules_of_this_process(tmp_path, monkeypatch):
  (tmp_path / 'only_here.py').write_text('answer = 42')
  monkeypatch.syspath_prepend(tmp_path)
  program = 'import only_here; print(only_here.answer)'
  environment = child_processes.environment()
  child = [sys.executable, '-c', program]
  done = subprocess.run(child, env=environment, cwd='/', capture_output=True, text=True, timeout=60)
  assert done.stdout == '42\n'
  assert {**environment, 'PYTHONPATH': ''} == {**os.environ, 'PYTHONPATH': ''}


def test_a_child_on_the_cpu_sees_no_gpu(monkeypatch):
  monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '0,1')
  assert child_processes.environment()['CUDA_VISIBLE_DEVICES'] == '0,1'
  assert child_processes.environment(on_cpu=True)['CUDA_VISIBLE_DEVICES'] == '-1'


def test_an_empty_entry_is_the_present_folder(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  monkeypatch.setattr(sys, 'path', ['', '/x'])
  paths = child_processes.environment()['PYTHONPATH'].split(os.pathsep)
  assert list(map(pathlib.Path, paths)) == [tmp_path, pathlib.Path('/x')]


def test_the_last_line_of_a_log():
  assert child_processes.last_line(b'first\nlast \xff line\n\n', 9) == 'last \ufffd li'
  assert child_processes.last_line(b' \n', 100) == 'no message'
