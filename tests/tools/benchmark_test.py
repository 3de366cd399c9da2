import json

import pytest

from tests.testing import own_flags, run_tool
from vgg_slim.benchmarks import ceiling_shapes
from vgg_slim.benchmarks.turns import Outcome


@pytest.fixture(scope='module')
def benchmark():
  with own_flags():
    from tools import benchmark

    yield benchmark


@pytest.fixture
def measured(benchmark, monkeypatch):
  """Stands in for the processes: every batch takes a second, those of `keras` two."""
  asked = []

  def run_turns(contestants, num_batches, warmup, turns, module, progress):
    asked.append([(c.system, c.workload.what) for c in contestants])
    progress(1, 1)
    return [
      Outcome(*contestant, absent='it is not installed')
      if contestant.system == 'torch'
      else Outcome(*contestant, [[2.0 if contestant.system == 'keras' else 1.0]] * turns, 2**30)
      for contestant in contestants
    ]

  monkeypatch.setattr(benchmark.turns, 'run_turns', run_turns)
  return asked


def test_ratios_shares_and_json(benchmark, measured, tmp_path, capsys):
  old, new = tmp_path / 'old.json', tmp_path / 'new.json'
  arguments = ['--model=vgg16', '--what=forward', '--batch_size=2', '--num_batches=5']
  assert run_tool(benchmark, *arguments, '--peers=keras,torch', f'--output={old}') == 0
  assert measured[-1] == [
    (name, 'forward') for name in ('vgg_slim', 'keras', 'torch', 'matmul', 'convolution')
  ]
  said = capsys.readouterr().out
  assert 'torch is left out: it is not installed.' in said
  assert '2.00x (2.00 - 2.00)' in said
  assert 'vgg_slim: forward across 5 steps, 1.000 +/- 0.000 sec / batch' in said
  row = json.loads(old.read_text())['rows'][0]
  # Both in one second: the share is the quotient of the operations.
  share = 2 * 2 * 15_470_264_320 / ceiling_shapes.FLOP['matmul']
  assert row['shares']['matmul'] == pytest.approx(share)
  assert run_tool(benchmark, *arguments, f'--compare={old}', f'--output={new}') == 0
  assert f'1.00x (1.00 - 1.00) the speed of {old}' in capsys.readouterr().out


def test_a_whole_step_is_taken_apart(benchmark, measured, monkeypatch, capsys):
  monkeypatch.setattr(benchmark, '_digits_dir', lambda: None)
  assert run_tool(benchmark, '--what=end_to_end', '--image_size=32') == 0
  assert [what for system, what in measured[-1] if system == 'vgg_slim'] == [
    'input',
    'forward_backward',
    'train_step',
    'end_to_end',
  ]
  assert 'Bottleneck: input (input 1000.0 ms, compute 1000.0 ms' in capsys.readouterr().out


def test_dense_stands_beside_a_forward_pass(benchmark, measured, capsys):
  assert run_tool(benchmark, '--what=dense', '--image_size=384', '--num_batches=1') == 0
  assert [what for system, what in measured[-1] if system == 'vgg_slim'] == ['forward', 'dense']
  assert 'A picture of 384 px costs' in capsys.readouterr().out


@pytest.mark.parametrize(
  ('arguments', 'message'),
  [
    (['--peers=mxnet'], '--peers=mxnet: expected keras, torch'),
    (['--what=forwards'], "what must be one of forward, .* got 'forwards'"),
    (['--compare=none.json'], 'none.json is no output of tools/benchmark'),
    (['--model=vgg17'], "Unknown model 'vgg17'"),
  ],
)
def test_mistakes_are_one_line(benchmark, measured, capsys, arguments, message):
  assert run_tool(benchmark, *arguments) == 1
  error = capsys.readouterr().err
  assert message.split(', .*')[0] in error
  assert error.count('\n') == 1
  assert not measured
