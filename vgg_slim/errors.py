"""Errors that users can cause and fix; `tools/` print them on one line, without a traceback."""

import errno
import os

_WRITE_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
_MAX_CHARACTERS = 2000  # 25 lines of a terminal; a damaged file can put megabytes into a message


class VggSlimError(Exception):
  """Base of every error that this library raises on purpose."""


class ConfigError(VggSlimError, ValueError):
  """An invalid value, or an invalid combination of values, in a configuration."""


class OutputError(ConfigError):
  """An output cannot be written; detected before the work starts."""


class DataError(VggSlimError, ValueError):
  """Images, labels, records or a manifest are missing, damaged or inconsistent."""


class CheckpointError(VggSlimError, ValueError):
  """A checkpoint or a train_dir is missing or belongs to another network."""


class DamagedCheckpointError(CheckpointError):
  """The files of a checkpoint are truncated, missing or modified."""


class FolderInUseError(VggSlimError):
  """Another process is writing to a folder."""


class TrainingError(VggSlimError):
  """Training cannot continue, for example because the loss is no longer finite."""


class WorkerLostError(TrainingError):
  """Another worker of the run was lost; restarting them all resumes from the newest checkpoint."""


class NonFiniteError(VggSlimError, ValueError):
  """A network computed an infinity or NaN instead of a prediction."""


class UnfinishedError(VggSlimError):
  """Work stopped for a reason other than its input; the same command continues it."""


class ServerError(VggSlimError):
  """A process that serves a network cannot be reached, or refused a question."""


class BenchmarkError(VggSlimError):
  """A measurement did not finish, or a report cannot be read."""


class WeightMismatchError(CheckpointError):
  """Weights in a file do not fit the network; the message lists every mismatch."""


def one_line(error: Exception) -> str:
  """Returns the message of an error without line breaks; of a very long one, its two ends."""
  lines = (line.strip() for line in str(error).splitlines())
  return shortened(' '.join(line for line in lines if line))  # names may have two spaces


def shortened(text: str) -> str:
  """Returns a text; of a very long one, its two ends."""
  half = _MAX_CHARACTERS // 2
  return text if len(text) <= _MAX_CHARACTERS else f'{text[:half]} [...] {text[-half:]}'


def describe_file_error(error: OSError) -> str:
  """Returns which file an error of the operating system is about, and why, on one line."""
  why = (error.strerror or ' '.join(str(error).split())).rstrip('.')
  cannot = ' cannot be written' if error.errno in _WRITE_ERRORS else ''
  unnamed = 'a file' if _has_current_folder() else 'the current folder'
  return f'{error.filename or unnamed}{cannot}: {why}'


def _has_current_folder() -> bool:
  """Whether the current folder was not removed."""
  try:
    os.getcwd()
  except FileNotFoundError:
    return False
  return True


def reason(error: Exception, longest: int = 200) -> str:
  """Returns what an error of another library says, on one line; the name of its type if nothing.

  Args:
    error: the error.
    longest: number of characters after which the text is cut.
  """
  text = ' '.join(str(error).split()) or type(error).__name__
  return text if len(text) <= longest else f'{text[:longest]}...'
