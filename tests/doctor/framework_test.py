from importlib import metadata

import pytest

from vgg_slim.doctor import framework, machine
from vgg_slim.doctor.findings import FAIL, OK, WARN


def test_a_working_tf_slim_passes_and_a_broken_one_fails(monkeypatch):
  assert framework.examine_tf_slim().level == OK

  def batch_norm(*args, **kwargs):
    raise AttributeError('no legacy_tf_layers')

  monkeypatch.setattr(framework.slim, 'batch_norm', batch_norm)
  finding = framework.examine_tf_slim()
  assert finding.level == FAIL
  assert finding.text == 'batch norm: AttributeError: no legacy_tf_layers'


@pytest.mark.parametrize(
  ('precision', 'computed', 'fast', 'level', 'words'),
  [
    ('float32', 'float32', 'float32', OK, 'float32, in training and validation'),
    ('bfloat16', 'bfloat16', 'bfloat16', OK, 'bfloat16, in training and validation'),
    ('bfloat16', 'bfloat16', 'float32', WARN, 'the processor has no instructions'),
    ('bfloat16', 'float32', 'float32', WARN, 'bfloat16 has no effect here: the processor lacks'),
    ('float16', 'float32', 'bfloat16', WARN, 'float16 has no effect here: there is no GPU'),
  ],
)
def test_a_precision_that_gains_nothing_is_named(
  monkeypatch, precision, computed, fast, level, words
):
  monkeypatch.setattr(framework.sessions, 'computed_precision', lambda _: computed)
  monkeypatch.setattr(framework.sessions, 'fast_precision', lambda: fast)
  finding = framework.examine_precision(precision)
  assert (finding.level, bool(finding.remedy)) == (level, level != OK)
  assert words in finding.text


def test_the_pinned_versions_are_the_installed_ones():
  assert {name: metadata.version(name) for name in machine.PINNED} == machine.PINNED


@pytest.mark.parametrize(
  ('gpus', 'is_cuda_build', 'driver', 'environment', 'level', 'words'),
  [
    (['/physical_device:GPU:0'], True, True, {}, OK, '1: /physical_device:GPU:0'),
    ([], True, False, {}, OK, 'no NVIDIA driver'),
    ([], True, True, {'CUDA_VISIBLE_DEVICES': '-1'}, WARN, 'hidden by CUDA_VISIBLE_DEVICES'),
    ([], True, True, {'CUDA_VISIBLE_DEVICES': ''}, WARN, 'hidden by CUDA_VISIBLE_DEVICES'),
    ([], True, True, {'CUDA_VISIBLE_DEVICES': '0'}, WARN, 'cannot load CUDA or cuDNN'),
    ([], True, True, {'CUDA_VISIBLE_DEVICES': '1'}, WARN, 'cannot load CUDA or cuDNN'),
    ([], True, True, {'CUDA_VISIBLE_DEVICES': '-1,0'}, WARN, 'hidden by CUDA_VISIBLE_DEVICES'),
    ([], False, True, {}, WARN, 'built without CUDA'),
  ],
)
def test_the_reason_for_a_missing_gpu_is_given(
  tmp_path, gpus, is_cuda_build, driver, environment, level, words
):
  if driver:
    (tmp_path / 'proc/driver/nvidia').mkdir(parents=True)
    (tmp_path / 'proc/driver/nvidia/version').write_text('NVRM version')
  finding = framework.examine_gpus(gpus, is_cuda_build, tmp_path, environment)
  assert finding.level == level
  assert words in finding.text
