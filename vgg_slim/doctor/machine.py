"""Packages, processor, memory and disk. No TensorFlow, which may be what is missing."""

import os
import pathlib
import platform
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib import metadata

from vgg_slim import memory
from vgg_slim.doctor.findings import FAIL, OK, WARN, Finding
from vgg_slim.nets.summary import format_bytes

# What compat is written for; later versions move the private modules that it joins.
PINNED = {'tensorflow': '2.21.0', 'tf-keras': '2.21.0', 'tf-slim': '1.1.0'}
PYTHONS = ((3, 10), (3, 12))

# Flag in /proc/cpuinfo -> its name, in the order in which they came to processors.
_VECTORS = {'avx': 'AVX', 'avx2': 'AVX2', 'avx512f': 'AVX-512'}
_BFLOAT16 = {'avx512_bf16': 'AVX-512 BF16', 'amx_bf16': 'AMX'}


def examine_python(version: tuple[int, int] = sys.version_info[:2]) -> Finding:
  """Whether TensorFlow and tf-keras have wheels for this Python."""
  text = '.'.join(map(str, version))
  if PYTHONS[0] <= version <= PYTHONS[1]:
    return Finding(OK, 'Python', text)
  return Finding(WARN, 'Python', f'{text}; 3.10 to 3.12 are tested.', 'Make a .venv with one.')


def examine_packages(version_of: Callable[[str], str] = metadata.version) -> Finding:
  """The three packages whose versions have to go together.

  Args:
    version_of: a package's version; raises `metadata.PackageNotFoundError` where there is none.
  """
  versions = {}
  for name in PINNED:
    try:
      versions[name] = version_of(name)
    except metadata.PackageNotFoundError:
      versions[name] = None
  text = ', '.join(f'{name} {version or "missing"}' for name, version in versions.items())
  if None in versions.values():
    return Finding(FAIL, 'packages', text, "'make venv', or 'pip install vgg_slim'.")
  if versions != PINNED:
    wanted = ', '.join(f'{name}=={version}' for name, version in PINNED.items())
    return Finding(WARN, 'packages', text, f'Made for {wanted}.')
  return Finding(OK, 'packages', text)


def examine_cpu(
  root: pathlib.Path = pathlib.Path('/'), environment: Mapping[str, str] = os.environ
) -> Finding:
  """Vector instructions, and whether oneDNN is on, which TensorFlow's convolutions are from.

  Args:
    root: where /proc is.
    environment: of this process.
  """
  flags = _cpu_flags(root)
  cores = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()
  text = f'{platform.machine()}, {cores} cores'
  if flags is None:
    return Finding(OK, 'processor', f'{text}; this system does not say what it can do.')
  names = [name for flag, name in {**_VECTORS, **_BFLOAT16}.items() if flag in flags]
  text += f', {", ".join(names) or "no AVX"}'
  if 'avx' not in flags:
    remedy = "TensorFlow's wheels end with 'Illegal instruction' here: use another machine."
    return Finding(FAIL, 'processor', text, remedy)
  if 'avx2' not in flags:
    return Finding(WARN, 'processor', text, 'Without AVX2 a step takes several times as long.')
  if environment.get('TF_ENABLE_ONEDNN_OPTS') == '0':
    return Finding(WARN, 'processor', f'{text}, oneDNN off', 'Unset TF_ENABLE_ONEDNN_OPTS.')
  text += ', oneDNN on'
  if not flags.isdisjoint(_BFLOAT16):
    text += '; --precision=bfloat16 may pay'
  return Finding(OK, 'processor', text)


def examine_memory(available: int | None) -> Finding:
  """Memory that is free, as `memory.available_bytes` says."""
  if available is None:
    return Finding(OK, 'memory', 'this system does not say how much is free')
  return Finding(OK, 'memory', f'{format_bytes(available)} free')


def examine_disk(folder: str, needed: int) -> Finding:
  """Whether `needed` bytes fit on the disk of `folder`, which need not exist yet."""
  path = nearest_folder(folder)
  free = shutil.disk_usage(path).free
  text = f'{format_bytes(free)} free in {path}, checkpoints take {format_bytes(needed)}'
  if not os.access(path, os.W_OK):
    return Finding(FAIL, 'disk', f'{path} cannot be written.', 'Give another --train_dir.')
  if free < needed:
    remedy = 'Make room, lower --keep_checkpoints, or give a --train_dir on another disk.'
    return Finding(FAIL, 'disk', f'{text}.', remedy)
  return Finding(OK, 'disk', text)


def nearest_folder(folder: str) -> pathlib.Path:
  """`folder`, or the lowest one above it that exists."""
  path = pathlib.Path(folder).absolute()
  return next(parent for parent in (path, *path.parents) if parent.is_dir())


def examine_all() -> Iterator[Finding]:
  """All that can be said before TensorFlow is loaded, and without a run in mind."""
  yield examine_python()
  yield examine_packages()
  yield examine_cpu()
  yield examine_memory(memory.available_bytes())


def _cpu_flags(root: pathlib.Path) -> set[str] | None:
  """None where there are none to read: outside of Linux, and on other processors than x86."""
  try:
    lines = (root / 'proc/cpuinfo').read_text().splitlines()
  except OSError:
    return None
  return next((set(line.split()[2:]) for line in lines if line.startswith('flags')), None)
