"""What a training run does beside its steps, as parts with one interface."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from vgg_slim.compat import tf
from vgg_slim.training.hooks.host_state import HostState


class Validation(Protocol):
  """What training asks of a validation: mean cross-entropy and fraction of hits."""

  loss: float
  top_1_accuracy: float


class Step(NamedTuple):
  """A step that was made.

  Attributes:
    number: the global step after it.
    scalars: float by tag, such as 'loss', the cross-entropy.
  """

  number: int
  scalars: Mapping[str, float]


class EpochEnd(NamedTuple):
  """The end of an epoch, or of the run.

  Attributes:
    step: the global step.
    checkpoint: its prefix.
    is_whole: False where the run ends within an epoch.
    validation: of the checkpoint, or None.
  """

  step: int
  checkpoint: str
  is_whole: bool
  validation: Validation | None


class Hook:
  """One part; a subclass overrides what it needs.

  Attributes:
    state: numbers that a resumed run must have, or None. They are read and written here.
    needs_validation: whether a resumed run must look again at the validation of the epoch end that
      it starts from: the checkpoint was written before it.
    stop_reason: text, once the run should end for that reason.
  """

  state: HostState | None = None
  needs_validation = False
  stop_reason: str | None = None

  def begin(self, session: tf.Session, step: int) -> None:
    """Variables are restored; `step` steps were made before."""
    if self.state is not None:
      self.state.read(session)

  def fetches(self, step: int) -> Any:
    """What to fetch in this step besides: any structure that `tf.Session.run` takes."""
    return ()

  def wants_trace(self, step: int) -> bool:
    """Whether TensorFlow should note when each operation of this step runs."""
    return False

  def after_trace(self, step: int, metadata: tf.RunMetadata) -> None:
    """The step was noted as wanted."""

  def after_step(self, step: Step, fetched: Any) -> None:
    """`fetched` has the structure of `fetches`."""

  def before_save(self, session: tf.Session) -> None:
    """A checkpoint is about to be written."""
    if self.state is not None:
      self.state.write(session)

  def after_epoch(self, session: tf.Session, end: EpochEnd) -> None:
    """The checkpoint is written and validated."""

  def close(self) -> None:
    """The run is over, by an error perhaps."""
