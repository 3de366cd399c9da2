import json

import PIL.Image
import pytest

from tests.testing import own_flags, run_tool
from vgg_slim.benchmarks import ceiling_shapes
from vgg_slim.benchmarks.turns import Outcome


@pytest.fixture(scope='module')
def benchmark():
  with own_flags():
    from vgg_slim.commands import benchmark

    yield benchmark


@pytest.fixture
def measured(benchmark, monkeypatch):
  """Replaces the processes: every batch takes one second, those of `keras` two."""
  asked = []

  def run_turns(cases, num_batches, warmup, turns, module, progress):
    asked.append([(case.system, case.workload.what) for case in cases])
    progress(1, 1)
    return [
      Outcome(*case, absent='it is not installed')
      if case.system == 'torch'
      else Outcome(*case, [[2.0 if case.system == 'keras' else 1.0]] * turns, 2**30)
      for case in cases
    ]

  monkeypatch.setattr(benchmark.turns, 'run_turns', run_turns)
  return asked


def test_ratios_ceiling_shares_and_json_output(benchmark, measured, tmp_path, capsys):
  old, new = tmp_path / 'old.json', tmp_path / 'new.json'
  arguments = ['--model=vgg16', '--what=forward', '--batch_size=2', '--num_batches=5']
  assert run_tool(benchmark, *arguments, '--peers=keras,torch', f'--output={old}') == 0
  assert measured[-1] == [
    (name, 'forward') for name in ('vgg_slim', 'keras', 'torch', 'matmul', 'convolutions')
  ]
  said = capsys.readouterr().out
  assert 'torch was not measured: it is not installed.' in said
  assert '2.00x (2.00 - 2.00)' in said
  assert 'vgg_slim: forward across 5 steps, 1.000 +/- 0.000 sec / batch' in said
  assert 'The convolutions of vgg16 alone: forward 1000.0 ms (' in said
  assert '\nMachine: ' in said
  values = json.loads(old.read_text())
  assert values['machine']['before'].keys() == values['machine']['after'].keys()
  row = values['rows'][0]
  # Both take one second, so the share is the ratio of the operation counts.
  share = 2 * 2 * 15_470_264_320 / ceiling_shapes._MATMUL_FLOP
  assert row['shares']['matmul'] == pytest.approx(share)
  assert run_tool(benchmark, *arguments, f'--compare={old}', f'--output={new}') == 0
  assert f'1.00x (1.00 - 1.00) the speed of {old}' in capsys.readouterr().out


def test_training_is_compared_with_all_passes_of_the_convolutions(benchmark, measured, capsys):
  assert run_tool(benchmark, '--image_size=32', '--num_batches=1') == 0
  names = [name for name, _ in measured[-1]]
  assert names == ['vgg_slim', 'matmul', 'convolutions', 'map_gradients', 'kernel_gradients']


def test_end_to_end_also_measures_its_parts(benchmark, measured, monkeypatch, capsys):
  monkeypatch.setattr(benchmark.workload_flags, '_digits_dir', lambda: None)
  assert run_tool(benchmark, '--what=end_to_end', '--image_size=32') == 0
  assert [what for system, what in measured[-1] if system == 'vgg_slim'] == [
    'input',
    'forward_backward',
    'train_step',
    'end_to_end',
  ]
  assert 'Bottleneck: input (input 1000.0 ms, compute 1000.0 ms' in capsys.readouterr().out


def test_dense_is_compared_with_a_forward_pass(benchmark, measured, capsys):
  assert run_tool(benchmark, '--what=dense', '--image_size=384', '--num_batches=1') == 0
  assert [what for system, what in measured[-1] if system == 'vgg_slim'] == ['forward', 'dense']
  assert 'A dense image of 384 px takes' in capsys.readouterr().out


def test_growth_takes_turns_over_all_values(benchmark, measured, tmp_path, capsys):
  plot, rows = tmp_path / 'growth.png', tmp_path / 'growth.json'
  arguments = ['--growth=batch_size', '--values=16,1,4', '--model=resnet50', '--peers=keras']
  assert run_tool(benchmark, *arguments, f'--plot={plot}', f'--output={rows}') == 0
  assert measured == [[('vgg_slim', 'forward'), ('keras', 'forward')] * 3]
  said = capsys.readouterr().out
  # Every batch takes one second, so an image costs least in the largest batch.
  assert '62.5 ms' in said
  assert (
    'vgg_slim forward of resnet50, float32: no worse than linear. The cost per image is at most'
  ) in said
  assert 'keras forward of resnet50, float32: no worse than linear' in said
  sizes = [row['workload']['batch_size'] for row in json.loads(rows.read_text())['rows']]
  assert sizes == [1, 1, 4, 4, 16, 16]
  with PIL.Image.open(plot) as figure:
    assert min(figure.size) > 200


def test_growth_with_records_measures_conversions(benchmark, measured, capsys):
  assert run_tool(benchmark, '--growth=records', '--values=10,20') == 0
  assert measured == [[('vgg_slim', 'convert')] * 2]
  assert 'vgg_slim convert: no worse than linear' in capsys.readouterr().out


@pytest.mark.parametrize(
  ('arguments', 'message'),
  [
    (['--peers=mxnet'], '--peers=mxnet: expected keras, torch'),
    (['--what=forwards'], "what must be one of forward, .* got 'forwards'"),
    (['--compare=none.json'], 'none.json is not an output of tools/benchmark'),
    (['--model=vgg17'], "Unknown model 'vgg17'"),
    (['--values=1,2'], '--growth is required with --values.'),
    (['--growth=batch_size', '--values=1,b'], '--values=1,b: expected comma-separated integers'),
    (['--growth=batch_size', '--values=1'], 'values=1: growth needs two'),
    (
      ['--growth=workers', '--what=forward'],
      'growth with workers can be measured for convert only',
    ),
  ],
)
def test_user_errors_are_one_line(benchmark, measured, capsys, arguments, message):
  assert run_tool(benchmark, *arguments) == (1 if 'none.json' in message else 2)
  error = capsys.readouterr().err
  assert message.split(', .*')[0] in error
  assert error.count('\n') == 1
  assert not measured


@pytest.mark.parametrize(
  ('arguments', 'message'),
  [
    (['--growth=workers', '--plot=plot.txt'], '--plot=plot.txt must end in .png or .pdf or .svg'),
    (['--output=nowhere/new.json'], '--output=nowhere/new.json: there is no folder nowhere'),
    (['--growth=workers', '--plot=x.png', '--output=x.png'], '--output and --plot name the same'),
  ],
)
def test_outputs_are_checked_before_the_work(benchmark, measured, capsys, arguments, message):
  assert run_tool(benchmark, *arguments) == 2
  error = capsys.readouterr().err
  assert message in error
  assert error.count('\n') == 1
  assert not measured
