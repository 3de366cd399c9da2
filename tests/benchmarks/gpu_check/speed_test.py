import pytest

from benchmarks.gpu_check import speed
from benchmarks.gpu_check.rows import NotPossibleError
from vgg_slim.benchmarks.turns import Outcome


@pytest.fixture
def measured(monkeypatch):
  """Replaces the processes: Keras takes twice as long, torch is absent."""
  cases = []

  def run_turns(given, num_batches, warmup, turns, module):
    cases.extend(given)
    seconds = {'vgg_slim': 1.0, 'keras': 2.0}
    return [
      Outcome(*case, [[seconds[case.system]]], 2**30)
      if case.system in seconds
      else Outcome(*case, absent='torch is not installed')
      for case in given
    ]

  monkeypatch.setattr(speed.turns, 'run_turns', run_turns)
  return cases


def test_images_per_second_beside_the_peers(check, measured):
  values = speed.check_train_float16(check)
  assert {(case.workload.what, case.workload.precision) for case in measured} == {
    ('train_step', 'float16')
  }
  assert values['images_per_second'] == {'vgg_slim': 2.0, 'keras': 1.0}  # batches of two
  assert values['ratios']['keras']['value'] == 2
  assert values['absent'] == {'torch': 'torch is not installed'}
  assert values['reason'].startswith(
    'images/s: vgg_slim 2.0, keras 1.0 (vgg_slim is 2.00x (2.00 - 2.00)), torch: torch is not'
  )


def test_what_vgg_slim_cannot_measure_is_not_possible(check, monkeypatch):
  def run_turns(given, *rest):
    return [Outcome(*case, absent='there is no GPU') for case in given]

  monkeypatch.setattr(speed.turns, 'run_turns', run_turns)
  with pytest.raises(NotPossibleError, match='there is no GPU'):
    speed.check_forward_float16(check)
