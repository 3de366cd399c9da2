"""Errors that a user can cause and mend; `tools/` print them in one line, without a traceback."""


class VggSlimError(Exception):
  """Base of every error that this library raises on purpose."""


class ConfigError(VggSlimError, ValueError):
  """A value or a combination of values that no run can be made of."""


class OutputError(ConfigError):
  """An output that cannot be written, noticed before the work."""


class DataError(VggSlimError, ValueError):
  """Pictures, labels, records or a manifest that are missing, broken or disagree."""


class CheckpointError(VggSlimError, ValueError):
  """A checkpoint or a train_dir that is missing or belongs to another network."""


class DamagedCheckpointError(CheckpointError):
  """A checkpoint whose files are cut off, missing or changed."""


class FolderInUseError(VggSlimError):
  """Another process writes to a folder at this moment."""


class TrainingError(VggSlimError):
  """Training that cannot go on, such as a loss that is no longer finite."""


class WorkerLostError(TrainingError):
  """Another process of the run is gone; all of them, started again, go on from the newest
  checkpoint."""


class NonFiniteError(VggSlimError, ValueError):
  """A network computed an infinity or NaN where an answer was expected."""


class UnfinishedError(VggSlimError):
  """Work that stopped for a reason outside of its input; the same command goes on with it."""


class BenchmarkError(VggSlimError):
  """A measurement that did not come to an end, or a report that cannot be read."""


class WeightMismatchError(CheckpointError):
  """Weights of a file that do not fit the network; the message lists what and where."""
