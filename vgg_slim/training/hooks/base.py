"""The interface of hooks: what a training run does besides its steps."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from vgg_slim.compat import tf
from vgg_slim.training.hooks.host_state import HostState


class Validation(Protocol):
  """A validation result as training uses it; its attributes are those of `ValidationScores`."""

  @property
  def loss(self) -> float: ...
  @property
  def top_1_accuracy(self) -> float: ...
  @property
  def balanced_accuracy(self) -> float: ...
  @property
  def macro_f1(self) -> float: ...
  @property
  def only_answer(self) -> int | None: ...


class ValidationScores(NamedTuple):
  """A validation result.

  Attributes:
    loss: mean cross-entropy; class weights do not enter it.
    top_1_accuracy: accuracy, 0..1.
    balanced_accuracy: mean recall of the classes that have images, 0..1.
    macro_f1: mean F1 of the classes that have images or predictions, 0..1.
    only_answer: index of the class that all images are predicted as, if their labels differ.
  """

  loss: float
  top_1_accuracy: float
  balanced_accuracy: float
  macro_f1: float
  only_answer: int | None = None


class Step(NamedTuple):
  """A completed training step.

  Attributes:
    number: global step after it.
    scalars: values by tag, such as 'loss', the cross-entropy; weight decay only of steps that are
      recorded, see `RunConfig.logs`.
  """

  number: int
  scalars: Mapping[str, float]


class EpochEnd(NamedTuple):
  """The end of an epoch, or of the run.

  Attributes:
    step: global step.
    checkpoint: prefix of the checkpoint.
    is_complete: whether the epoch is complete; False if the run ends within an epoch.
    validation: validation result of the checkpoint, or None.
  """

  step: int
  checkpoint: str
  is_complete: bool
  validation: Validation | None


class Hook:
  """Base class of hooks, whose methods do nothing by default.

  Attributes:
    state: numbers that a resumed run needs, or None. This class restores and saves them.
    needs_validation: whether the hook depends on validation results. A run that resumes at the end
      of an epoch then repeats its validation, since the checkpoint was written before it.
    stop_reason: reason to end the run, or None to continue.
  """

  state: HostState | None = None
  needs_validation = False
  stop_reason: str | None = None

  def begin(self, session: tf.Session, step: int) -> None:
    """Called after the variables are initialized or restored; `step` is the global step."""
    if self.state is not None:
      self.state.read(session)

  def fetches(self, step: int) -> Any:
    """Additional fetches of this step: any structure that `tf.Session.run` accepts."""
    return ()

  def wants_trace(self, step: int) -> bool:
    """Whether TensorFlow should trace when each operation of this step runs."""
    return False

  def after_trace(self, step: int, metadata: tf.RunMetadata) -> None:
    """Called after a traced step."""

  def after_step(self, step: Step, fetched: Any) -> None:
    """Called after each step; `fetched` has the structure of `fetches`."""

  def before_validation(self, step: int) -> None:
    """Called before the checkpoint of `step` is validated."""

  def before_save(self, session: tf.Session) -> None:
    """Called before a checkpoint is written."""
    if self.state is not None:
      self.state.write(session)

  def after_epoch(self, session: tf.Session, end: EpochEnd) -> None:
    """Called at the end of an epoch, after its checkpoint was written and validated."""

  def after_run(self) -> None:
    """Called at the end of a run that is complete, before `close`."""

  def close(self) -> None:
    """Called when the run ends, also after an error."""
