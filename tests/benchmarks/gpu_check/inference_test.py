import numpy as np
import pytest

from benchmarks.gpu_check import inference
from benchmarks.gpu_check.rows import NotPossibleError, WrongResultError


@pytest.mark.parametrize('name', ['dense', 'predict'])
def test_probabilities_repeat(check, name):
  values = getattr(inference, f'check_{name}')(check)
  assert values['where'] == 'CPU'
  assert values['error'] <= 1e-5


def test_other_probabilities_are_wrong(check):
  with np.load(check.numbers) as numbers:
    expected = numbers['predict']
  assert inference._compare(check, 'predict', expected)['same_class'] == len(expected)
  mean = np.broadcast_to(expected.mean(0), expected.shape)
  for wrong in (expected[::-1], mean, expected * np.nan):
    with pytest.raises(WrongResultError, match='images differ by'):
      inference._compare(check, 'predict', wrong)


def test_an_export_is_compared_by_its_command(check):
  values = inference.export_frozen(check)
  assert 'compared with the checkpoint on 2 images' in values['reason']
  # The folder of the export exists by now, which is an error of the command.
  with pytest.raises(WrongResultError, match='exists; give another --output'):
    inference.export_frozen(check)


def test_a_missing_package_is_named(check, monkeypatch):
  monkeypatch.setattr(inference, '_is_installed', lambda package: package != 'tf2onnx')
  with pytest.raises(NotPossibleError, match='tf2onnx is not installed'):
    inference.export_onnx(check)
