import dataclasses

import numpy as np
import pytest

from tests.evaluation.fabricated import probabilities_of, scored_checkpoint
from tests.testing import train_config
from tests.training.graph_test import a_manifest
from vgg_slim import locks
from vgg_slim.compat import tf
from vgg_slim.data.manifest import Shard, Split
from vgg_slim.errors import CheckpointError, FolderInUseError
from vgg_slim.evaluation import continuous, precision_proof, runner
from vgg_slim.evaluation.class_map import ClassMap

LABELS = np.array([0, 1, 1, 0])
CONFIDENCE = {1: 0.625, 2: 0.75}  # by step
# No image is misclassified, so no shard is read for a figure of errors.
SCORED = {
  step: dataclasses.replace(
    scored_checkpoint(
      {('center', 64): probabilities_of(LABELS, confidence, 2)}, LABELS, ('center',), split='train'
    ),
    step=step,
  )
  for step, confidence in CONFIDENCE.items()
}


@pytest.fixture
def train_dir(tmp_path):
  """A train_dir that lists checkpoints of steps 1 and 2."""
  prefixes = [str(tmp_path / f'model.ckpt-{step}') for step in SCORED]
  for prefix in prefixes:
    tmp_path.joinpath(f'{prefix}.index').touch()
  tf.train.update_checkpoint_state(str(tmp_path), prefixes[-1], prefixes)
  return tmp_path


@pytest.fixture
def score(monkeypatch):
  """Replaces the evaluator; call the fixture with a function to replace `score` as well."""

  class FakeEvaluator:
    classes = ClassMap(('a', 'b'), np.arange(2))

    def __init__(self, *_):
      self.score = FakeEvaluator.function

    def __enter__(self):
      return self

    def __exit__(self, *_):
      pass

  def set_score(function):
    FakeEvaluator.function = staticmethod(function)

  monkeypatch.setattr(runner, 'Evaluator', FakeEvaluator)
  set_score(lambda checkpoint, _: SCORED[int(checkpoint.rpartition('-')[2])])
  return set_score


def run(train_dir, max_steps):
  """Lines reported by an evaluator that does not wait for new checkpoints."""
  lines = []
  split = Split(4, (2, 2), (Shard('shard', 4, 100, ''),))
  manifest = dataclasses.replace(a_manifest(), splits={'train': split})
  trained = train_config('data', manifest, max_steps=max_steps)
  continuous.run_continuous_evaluation(
    str(train_dir),
    trained,
    'data',
    manifest,
    SCORED[1].config,
    events_dir=str(train_dir / 'evaluator'),
    timeout=0,
    report=lines.append,
  )
  return lines


def events(train_dir):
  (path,) = (train_dir / 'evaluator').iterdir()
  return list(tf.train.summary_iterator(str(path)))


def line(step):
  # Four images in half a second; every prediction is correct.
  loss = -np.log(CONFIDENCE[step])
  return f'step {step}  top-1 error 0.00%  loss {loss:.4f}  8.0 images/s  float32'


@pytest.mark.usefixtures('score')
def test_each_checkpoint_gives_a_line_and_a_point_of_the_curves(train_dir):
  assert run(train_dir, max_steps=2) == [line(1), line(2)]
  written = events(train_dir)
  assert [event.step for event in written if event.session_log.status == tf.SessionLog.START] == [1]
  losses = [
    (event.step, value.simple_value)
    for event in written
    for value in event.summary.value
    if value.tag == 'loss'
  ]
  assert losses == [
    (step, pytest.approx(-np.log(confidence), rel=1e-6)) for step, confidence in CONFIDENCE.items()
  ]


def test_the_proof_of_a_precision_follows_the_line_of_its_checkpoint(train_dir, score):
  proof = precision_proof.Proof('bfloat16', '3 of 64 top-1 answers change', False, 0.25, 0.05)
  score(
    lambda checkpoint, _: dataclasses.replace(
      SCORED[int(checkpoint[-1])], proof=proof if checkpoint.endswith('-2') else None
    )
  )
  assert run(train_dir, max_steps=2) == [
    line(1),
    line(2),
    'bfloat16: 3 of 64 top-1 answers change, largest difference 0.25; computed in float32',
  ]


@pytest.mark.usefixtures('score')
def test_a_second_evaluator_of_the_same_folder_is_refused(train_dir):
  with (
    locks.hold(train_dir / 'evaluator'),
    pytest.raises(FolderInUseError, match=r'evaluator is in use by process \d+ on'),
  ):
    run(train_dir, max_steps=2)


@pytest.mark.usefixtures('score')
def test_a_timeout_is_reported(train_dir):
  assert run(train_dir, max_steps=3) == [line(1), line(2), 'No new checkpoint for 0 minutes.']


def test_a_checkpoint_removed_before_it_was_read_is_reported(train_dir, score):
  def removed(checkpoint, _):
    if checkpoint.endswith('-1'):
      train_dir.joinpath(f'{checkpoint}.index').unlink()
      raise CheckpointError(checkpoint)
    return SCORED[2]

  score(removed)
  assert run(train_dir, max_steps=2) == [
    f'{train_dir}/model.ckpt-1 was removed before it could be read.',
    line(2),
  ]
  # What an earlier evaluator wrote about step 1 is kept.
  assert [event.step for event in events(train_dir) if event.HasField('session_log')] == [2]


@pytest.mark.usefixtures('score')
def test_a_run_without_a_checkpoint_writes_no_file(tmp_path):
  assert run(tmp_path, max_steps=2) == ['No new checkpoint for 0 minutes.']
  assert list(tmp_path.iterdir()) == []
