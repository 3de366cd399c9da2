import sys
import tempfile

import pytest

from vgg_slim.quiet_import import quiet_import


def write_module(tmp_path, monkeypatch, last_line):
  (tmp_path / 'loud.py').write_text(f"import os\nos.write(2, b'a notice from C++')\n{last_line}\n")
  monkeypatch.syspath_prepend(tmp_path)
  monkeypatch.delitem(sys.modules, 'loud', raising=False)


def test_output_during_the_import_is_hidden(tmp_path, monkeypatch, capfd):
  write_module(tmp_path, monkeypatch, 'value = 3')
  quiet_import('loud')
  assert sys.modules['loud'].value == 3
  print('still there', file=sys.stderr)
  assert capfd.readouterr().err == 'still there\n'


def test_output_before_a_failed_import_is_shown(tmp_path, monkeypatch, capfd):
  write_module(tmp_path, monkeypatch, "raise ImportError('no such thing')")
  with pytest.raises(ImportError, match='no such thing'):
    quiet_import('loud')
  assert capfd.readouterr().err == 'a notice from C++'


def test_an_interrupted_import_prints_nothing(tmp_path, monkeypatch, capfd):
  write_module(tmp_path, monkeypatch, 'raise KeyboardInterrupt')
  with pytest.raises(KeyboardInterrupt):
    quiet_import('loud')
  assert capfd.readouterr().err == ''


def test_an_import_needs_no_temporary_folder(tmp_path, monkeypatch, capfd):
  write_module(tmp_path, monkeypatch, 'value = 3')
  with monkeypatch.context() as patch:
    patch.setattr(tempfile, 'tempdir', str(tmp_path / 'missing'))
    quiet_import('loud')
  assert sys.modules['loud'].value == 3
  assert capfd.readouterr().err == ''
