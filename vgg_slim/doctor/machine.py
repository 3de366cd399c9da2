"""Checks of packages, processor, memory and disk. No TensorFlow, as it may be missing."""

import os
import pathlib
import platform
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib import metadata

from vgg_slim import files, memory, processor
from vgg_slim.doctor.findings import FAIL, OK, WARN, Finding
from vgg_slim.nets.summary import format_bytes
from vgg_slim.wording import counted

# Versions that compat supports; later ones move the private modules that it uses.
PINNED = {'tensorflow': '2.21.0', 'tf-keras': '2.21.0', 'tf-slim': '1.1.0'}
PYTHONS = ((3, 10), (3, 12))

# Name of each flag in /proc/cpuinfo, oldest instruction set first.
_VECTORS = {'avx': 'AVX', 'avx2': 'AVX2', 'avx512f': 'AVX-512'}


def examine_python(version: tuple[int, int] = sys.version_info[:2]) -> Finding:
  """Checks that TensorFlow and tf-keras have wheels for this Python."""
  text = '.'.join(map(str, version))
  if PYTHONS[0] <= version <= PYTHONS[1]:
    return Finding(OK, 'Python', text)
  return Finding(
    WARN, 'Python', f'{text}; 3.10 to 3.12 are tested.', 'Make a .venv with one of these.'
  )


def examine_packages(version_of: Callable[[str], str] = metadata.version) -> Finding:
  """Checks the three packages whose versions must match each other.

  Args:
    version_of: function that returns the version of a package, or raises
      `metadata.PackageNotFoundError` if it is not installed.
  """
  versions: dict[str, str | None] = {}
  for name in PINNED:
    try:
      versions[name] = version_of(name)
    except metadata.PackageNotFoundError:
      versions[name] = None
  text = ', '.join(f'{name} {version or "missing"}' for name, version in versions.items())
  if None in versions.values():
    return Finding(FAIL, 'packages', text, 'In the folder of vgg_slim: make venv, or pip install .')
  if versions != PINNED:
    wanted = ', '.join(f'{name}=={version}' for name, version in PINNED.items())
    return Finding(WARN, 'packages', text, f'Install {wanted}.')
  return Finding(OK, 'packages', text)


def examine_cpu(
  root: pathlib.Path = pathlib.Path('/'), environment: Mapping[str, str] = os.environ
) -> Finding:
  """Checks vector instructions, and that oneDNN, which computes convolutions, is on.

  Args:
    root: folder that contains proc.
    environment: environment variables of the process.
  """
  flags = processor.flags(root)
  cores = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()
  text = f'{platform.machine()}, {counted(cores or 1, "core")}'
  if flags is None:
    return Finding(OK, 'processor', f'{text}; this system does not list its instruction sets')
  names = [name for flag, name in {**_VECTORS, **processor.BFLOAT16}.items() if flag in flags]
  text += f', {", ".join(names) or "no AVX"}'
  if 'avx' not in flags:
    remedy = "TensorFlow's wheels crash with 'Illegal instruction' here: use another machine."
    return Finding(FAIL, 'processor', text, remedy)
  if 'avx2' not in flags:
    return Finding(WARN, 'processor', text, 'Without AVX2 a step takes several times as long.')
  if environment.get('TF_ENABLE_ONEDNN_OPTS') == '0':
    return Finding(WARN, 'processor', f'{text}, oneDNN off', 'Unset TF_ENABLE_ONEDNN_OPTS.')
  text += ', oneDNN on'
  if not flags.isdisjoint(processor.BFLOAT16):
    text += '; --precision=bfloat16 may train faster'
  return Finding(OK, 'processor', text)


def examine_memory(available: int | None) -> Finding:
  """Reports the free memory; `available` is the result of `memory.available_bytes`."""
  if available is None:
    return Finding(OK, 'memory', 'this system does not report how much is free')
  return Finding(OK, 'memory', f'{format_bytes(available)} free')


def examine_disk(folder: str, needed: int) -> Finding:
  """Checks that `needed` bytes fit on the disk of `folder`, which need not exist yet."""
  whole = pathlib.Path(folder).absolute()
  path = next(one for one in (whole, *whole.parents) if one.exists())
  problem = files.dead_link(folder) or ('' if path.is_dir() else f'{path} is not a folder')
  if problem:
    return Finding(FAIL, 'disk', f'{problem}.', 'Give another --train_dir.')
  free = shutil.disk_usage(path).free
  text = f'{format_bytes(free)} free in {path}, checkpoints take {format_bytes(needed)}'
  if not os.access(path, os.W_OK):
    return Finding(FAIL, 'disk', f'{path} is not writable.', 'Give another --train_dir.')
  if free < needed:
    remedy = 'Free some space, lower --keep_checkpoints, or give a --train_dir on another disk.'
    return Finding(FAIL, 'disk', f'{text}.', remedy)
  return Finding(OK, 'disk', text)


def nearest_folder(folder: str) -> pathlib.Path:
  """`folder`, or its nearest ancestor that exists."""
  path = pathlib.Path(folder).absolute()
  return next(parent for parent in (path, *path.parents) if parent.is_dir())


def examine_all() -> Iterator[Finding]:
  """Runs all checks that need neither TensorFlow nor the configuration of a run."""
  yield examine_python()
  yield examine_packages()
  yield examine_cpu()
  yield examine_memory(memory.available_bytes())
