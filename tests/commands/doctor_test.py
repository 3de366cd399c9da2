"""The doctor, run in this process on a thin network."""

import io
import json
import shutil

import pytest

from tests.testing import make_data_set, own_flags, run_tool, thin_model, train_config
from vgg_slim import processor
from vgg_slim.commands import installation, invocation
from vgg_slim.doctor import findings, trial
from vgg_slim.reporting import Reporter
from vgg_slim.training import loop

SMALL = ('--model=vgg_a', '--batch_size=6', '--fc_units=32', '--pixel_scale=0.015625')


@pytest.fixture(scope='module')
def doctor():
  with own_flags():
    from vgg_slim.commands import doctor

    yield doctor


@pytest.fixture
def made(tmp_path, monkeypatch):
  thin_model(monkeypatch, 'vgg_a')
  monkeypatch.chdir(tmp_path)
  return make_data_set(tmp_path / 'data')


def test_every_check_of_a_sound_run_passes(doctor, made, tmp_path, capsys):
  assert run_tool(doctor, '--data_dir=data', *SMALL) == 0
  captured = capsys.readouterr()
  lines = captured.out.splitlines()
  assert not [line for line in lines if line.startswith('fail')], captured.out
  passed = {line[5:19].strip() for line in lines if line.startswith('ok')}
  assert {'packages', 'tf-slim', 'labels', 'pixels', 'training step', 'disk', 'dry step'} <= passed
  assert lines[-1].endswith(' 0 fail.')
  assert 'Training one step, which is discarded (--nodry_step leaves it out) ...' in captured.err
  assert '\x1b' not in captured.out  # colors are for terminals
  assert [path.name for path in tmp_path.iterdir()] == ['data']


def test_a_step_is_tried_in_the_precision_that_training_would_choose(doctor, made, monkeypatch):
  wide = ('avx512', 'avx_ne_convert', 'amx')
  flags = frozenset(flag for flag in processor.flags() or () if not flag.startswith(wide))
  monkeypatch.setattr(processor, 'flags', lambda *_: flags)
  seen = []

  def run_trial(config, *_):
    seen.append(config.runtime.precision)
    return findings.Finding(findings.OK, 'dry step', '')

  monkeypatch.setattr(trial, 'run_trial', run_trial)
  assert run_tool(doctor, '--data_dir=data', *SMALL, '--precision=bfloat16', '--gpus=none') == 0
  assert seen == ['float32']


def test_a_run_that_has_begun_is_checked_and_left_unchanged(doctor, made, tmp_path, capsys):
  data_dir, manifest = made
  config = train_config(data_dir, manifest, max_steps=1)
  loop.run_training(config, manifest, 'run', None, Reporter(io.StringIO()))
  before = sorted(path.name for path in (tmp_path / 'run').iterdir())
  assert run_tool(doctor, '--train_dir=run', '--thorough') == 0
  lines = capsys.readouterr().out.splitlines()
  assert 'ok   run            vgg_a at 32 px, batches of 4' in lines
  assert 'ok   precision      float32, in training and validation' in lines
  assert any(line.startswith('ok   checkpoint     run/model.ckpt-1: vgg_a') for line in lines)
  assert any(line.startswith('ok   checksums') for line in lines)
  assert sorted(path.name for path in (tmp_path / 'run').iterdir()) == before


def test_failed_checks_are_lines_and_exit_code_1(doctor, made, tmp_path, capsys):
  data_dir, manifest = made
  begun = train_config(data_dir, manifest, max_steps=1)
  loop.run_training(begun, manifest, 'run', None, Reporter(io.StringIO()))
  other, _ = make_data_set(tmp_path / 'other', num_classes=3)
  assert run_tool(doctor, '--train_dir=run', f'--data_dir={other}') == 1
  output, error = capsys.readouterr()
  assert 'fail run            The run in run was started on a data set with other' in output
  assert 'dry step' not in output  # it would fail for the same reason
  assert error.startswith('doctor: error: ')
  shutil.rmtree(other)
  assert run_tool(doctor, f'--data_dir={other}') == 1
  words = f'is not a folder. Create it with {installation.call("convert_to_tfrecord")}'
  assert words in capsys.readouterr().out


def test_a_mistake_in_the_flags_is_reported_before_any_check(doctor, made, capsys):
  assert run_tool(doctor, '--data_dir=data', '--model=vgg-16') == 2
  output, error = capsys.readouterr()
  assert output == ''
  assert error.startswith("doctor: error: Unknown model 'vgg-16'. Did you mean 'vgg16'?")


@pytest.fixture
def broken(monkeypatch):
  def fail():
    raise ImportError('libcudart.so.12')

  monkeypatch.setattr(invocation, 'load_tensorflow', fail)


def test_a_tensorflow_that_cannot_be_loaded_is_a_finding(doctor, broken, capsys):
  assert run_tool(doctor) == 1
  assert 'fail TensorFlow     libcudart.so.12\n' in capsys.readouterr().out


def test_findings_as_json(doctor, broken, capsys):
  assert run_tool(doctor, '--format=json') == 1
  findings = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
  assert {'about': 'TensorFlow', 'level': 'fail', 'text': 'libcudart.so.12'}.items() <= (
    findings[-1].items()
  )
  assert len(findings) > 3
