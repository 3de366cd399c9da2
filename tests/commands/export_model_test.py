"""User errors and help; exporter_test runs complete exports."""

import pytest

from tests.testing import own_flags, run_tool


@pytest.fixture(scope='module')
def export_model():
  with own_flags():
    from vgg_slim.commands import export_model

    yield export_model


@pytest.mark.parametrize(
  ('arguments', 'code', 'message'),
  [
    ([], 2, 'Give --checkpoint_path and --output; see --help.'),
    (['--format=pickle'], 2, 'flag --format=pickle: value should be one of'),
    (
      ['--checkpoint_path=nowhere', '--output=out'],
      1,
      'nowhere is neither a checkpoint nor',
    ),
    (
      ['--checkpoint_path=nowhere', '--output=out', '--format=tflite_int8'],
      2,
      'tflite_int8 is calibrated on images',
    ),
  ],
)
def test_user_errors_are_one_line(
  export_model, capsys, monkeypatch, tmp_path, arguments, code, message
):
  monkeypatch.chdir(tmp_path)
  assert run_tool(export_model, *arguments) == code
  err = capsys.readouterr().err
  assert err.startswith(f'export_model: error: {message}')
  assert err.count('\n') == 1
  assert list(tmp_path.iterdir()) == []


def test_help_shows_examples(export_model, capsys):
  assert run_tool(export_model, '--help') == 0
  assert 'tools/export_model --checkpoint_path=' in capsys.readouterr().out


def test_an_export_is_verified_on_the_cpu(export_model, monkeypatch, tmp_path):
  # TF32, the default on GPUs, differs from float32 by more than the verification allows.
  from vgg_slim import sessions
  from vgg_slim.export import exporter

  runtimes = []
  monkeypatch.setattr(sessions, 'configure', runtimes.append)
  monkeypatch.setattr(export_model.contract, 'load_contract', lambda path: None)
  monkeypatch.setattr(exporter, 'run_export', lambda *unused: None)
  monkeypatch.chdir(tmp_path)
  assert run_tool(export_model, '--checkpoint_path=somewhere', '--output=out') == 0
  assert [runtime.gpus for runtime in runtimes] == ['none']
