from importlib import metadata

import pytest

from vgg_slim.doctor import framework, machine
from vgg_slim.doctor.findings import FAIL, OK, WARN


def test_tf_slim_works_here_and_a_broken_one_is_said(monkeypatch):
  assert framework.examine_tf_slim().level == OK

  def batch_norm(*args, **kwargs):
    raise AttributeError('no legacy_tf_layers')

  monkeypatch.setattr(framework.slim, 'batch_norm', batch_norm)
  finding = framework.examine_tf_slim()
  assert finding.level == FAIL
  assert finding.text == 'batch norm: AttributeError: no legacy_tf_layers'


def test_the_versions_that_are_asked_for_are_those_of_the_lock():
  assert {name: metadata.version(name) for name in machine.PINNED} == machine.PINNED


@pytest.mark.parametrize(
  ('gpus', 'is_cuda_build', 'driver', 'environment', 'level', 'words'),
  [
    (['/physical_device:GPU:0'], True, True, {}, OK, '1: /physical_device:GPU:0'),
    ([], True, False, {}, OK, 'no NVIDIA driver'),
    ([], True, True, {'CUDA_VISIBLE_DEVICES': '-1'}, WARN, 'hidden by CUDA_VISIBLE_DEVICES'),
    ([], True, True, {'CUDA_VISIBLE_DEVICES': '0'}, WARN, 'cannot load CUDA or cuDNN'),
    ([], False, True, {}, WARN, 'for CPUs alone'),
  ],
)
def test_why_there_is_no_gpu(tmp_path, gpus, is_cuda_build, driver, environment, level, words):
  if driver:
    (tmp_path / 'proc/driver/nvidia').mkdir(parents=True)
    (tmp_path / 'proc/driver/nvidia/version').write_text('NVRM version')
  finding = framework.examine_gpus(gpus, is_cuda_build, tmp_path, environment)
  assert finding.level == level
  assert words in finding.text
