import re
from importlib import metadata

import pytest

from vgg_slim.doctor import machine
from vgg_slim.doctor.findings import FAIL, OK, WARN

GIB = 1024**3


def write_cpuinfo(root, flags):
  (root / 'proc').mkdir()
  (root / 'proc/cpuinfo').write_text(f'processor\t: 0\nflags\t\t: {flags}\n\nprocessor\t: 1\n')
  return root


@pytest.mark.parametrize(
  ('flags', 'environment', 'level', 'words'),
  [
    ('fpu sse2', {}, FAIL, 'no AVX'),
    ('sse2 avx', {}, WARN, 'AVX'),
    ('avx avx2', {'TF_ENABLE_ONEDNN_OPTS': '0'}, WARN, 'AVX, AVX2, oneDNN off'),
    ('avx avx2', {}, OK, 'AVX, AVX2, oneDNN on'),
    (
      'avx avx2 avx512f amx_bf16',
      {},
      OK,
      'AVX-512, AMX, oneDNN on; --precision=bfloat16 may train faster',
    ),
  ],
)
def test_instruction_sets_of_the_processor(tmp_path, flags, environment, level, words):
  finding = machine.examine_cpu(write_cpuinfo(tmp_path, flags), environment)
  assert finding.level == level
  assert finding.text.endswith(words)
  assert bool(finding.remedy) == (level != OK)


def test_a_system_without_information_passes(tmp_path):
  assert machine.examine_cpu(tmp_path, {}).level == OK
  assert machine.examine_memory(None).text == 'this system does not report how much is free'


def test_missing_packages_fail_and_other_versions_warn():
  assert machine.examine_packages(machine.PINNED.get).level == OK
  other = {**machine.PINNED, 'tf-keras': '2.19.0'}
  finding = machine.examine_packages(other.get)
  assert finding.level == WARN
  assert 'tf-keras 2.19.0' in finding.text
  assert 'tf-keras==2.21.0' in finding.remedy

  def absent(name):
    if name == 'tf-slim':
      raise metadata.PackageNotFoundError(name)
    return machine.PINNED[name]

  finding = machine.examine_packages(absent)
  assert finding.level == FAIL
  assert 'tf-slim missing' in finding.text


def test_untested_python_versions_warn():
  assert machine.examine_python((3, 11)).level == OK
  assert machine.examine_python((3, 13)).level == WARN


@pytest.mark.parametrize(
  ('name', 'problem'),
  [
    ('dead', 'dead is a link to .*/nowhere, which does not exist.'),
    ('dead/run', 'dead is a link to .*/nowhere, which does not exist.'),
    ('file', 'file is not a folder.'),
    ('file/run', 'file is not a folder.'),
  ],
)
def test_a_train_dir_that_cannot_become_a_folder_fails(tmp_path, name, problem):
  (tmp_path / 'dead').symlink_to('nowhere')
  (tmp_path / 'file').touch()
  finding = machine.examine_disk(str(tmp_path / name), 1)
  assert finding.level == FAIL
  assert re.fullmatch(f'{tmp_path}/{problem}', finding.text)


def test_a_full_disk_fails(tmp_path):
  finding = machine.examine_disk(str(tmp_path / 'runs' / 'new'), 1)
  assert finding.level == OK
  assert re.search(f' free in {tmp_path}, checkpoints take 1 B$', finding.text)
  finding = machine.examine_disk(str(tmp_path), 2**60)
  assert finding.level == FAIL
  assert '--keep_checkpoints' in finding.remedy
