import dataclasses
import json

import pytest

from vgg_slim import processor
from vgg_slim.benchmarks import ceiling_shapes, machine, report, timing
from vgg_slim.benchmarks.turns import Outcome
from vgg_slim.benchmarks.workload import Workload, flop
from vgg_slim.errors import BenchmarkError

LOAD = Workload('forward', 'vgg16', 4, 224, threads=2)


def make_rows():
  return report.make_rows(
    [
      Outcome('vgg_slim', LOAD, [[0.5, 0.5], [1.0, 1.0]], 2**30),
      Outcome('keras', LOAD, [[1.0, 1.0], [3.0, 3.0]], 2**31),
      Outcome('torch', LOAD, absent='torch is not installed'),
      Outcome('matmul', LOAD, [[ceiling_shapes.flop('matmul', LOAD) / 200e9], []]),
    ]
  )


def test_speeds_shares_and_ratios_by_hand():
  ours, keras = make_rows()
  assert (ours.system, keras.system) == ('vgg_slim', 'keras')
  # The median of 0.5, 0.5, 1, 1 is 0.75 s for four images.
  assert ours.images_per_second == pytest.approx(4 / 0.75)
  assert ours.gflop_per_second == pytest.approx(flop(LOAD) / 0.75e9)
  assert ours.shares == pytest.approx({'matmul': flop(LOAD) / 0.75 / 200e9})
  assert ours.ours is None
  # Twice as fast in the first turn and three times in the second.
  assert keras.ours == timing.Ratio(2.5, 2.25, 2.75)


def test_the_passes_of_the_convolutions_count_together():
  load = dataclasses.replace(LOAD, what='train_step')
  # Passes at 100, 200 and 50 GFLOP/s, and a step that takes as long as the three together.
  speeds = {'convolutions': 100e9, 'map_gradients': 200e9, 'kernel_gradients': 50e9}
  seconds = {name: ceiling_shapes.flop(name, load) / speed for name, speed in speeds.items()}
  outcomes = [Outcome(name, load, [[value]]) for name, value in seconds.items()]
  ours = Outcome('vgg_slim', load, [[sum(seconds.values())]])
  (row,) = report.make_rows([ours, *outcomes])
  # The step also computes the fully-connected layers, which the ceiling leaves out.
  convolutions = sum(ceiling_shapes.flop(name, load) for name in seconds)
  assert row.shares == pytest.approx({'convolutions': flop(load) / convolutions})
  line = report.ceiling_line([ours, *outcomes])
  assert line.startswith('The convolutions of vgg16 alone: forward ')
  assert [part in line for part in ('(100 GFLOP/s)', 'of maps', '(50 GFLOP/s).')] == [True] * 3
  assert report.ceiling_line([ours]) is None


def test_title_and_cells_of_a_row():
  ours, keras = make_rows()
  assert report.title(ours) == 'vgg16 at 224 px, batch 4, float32, 2 threads'
  cells = dict(zip(report.HEADINGS, report.cells(keras), strict=True))
  assert cells['median'] == '2000.0 ms'
  assert cells['images/s'] == '2.0'
  assert cells['of convolutions'] == ''
  assert cells['peak memory'] == '2.0 GiB'
  assert cells['vgg_slim is'] == '2.50x (2.25 - 2.75)'
  load = Workload('convert', 'vgg16', 10, 8, threads=2)
  (conversion,) = report.make_rows([Outcome('vgg_slim', load, [[5.0]])])
  assert report.title(conversion) == '10 images of 8 px, 2 workers'
  assert report.classic_line(ours) == 'forward across 4 steps, 0.750 +/- 0.250 sec / batch'


def timed(what, seconds):
  load = dataclasses.replace(LOAD, what=what)
  return report.make_rows([Outcome('vgg_slim', load, [[seconds]])])[0]


def test_dense_cost_by_hand():
  forward = timed('forward', 1.0)
  load = dataclasses.replace(LOAD, what='dense', image_size=448)
  # At 448 px the convolutions take four times as long, and fc6 is computed at 8x8 positions.
  arithmetic = flop(load) / flop(LOAD)
  assert arithmetic > 4
  (dense,) = report.make_rows([Outcome('vgg_slim', load, [[1.1 * arithmetic]])])
  cost = report.find_dense_cost([forward, dense])
  assert cost.share == pytest.approx(1.1)
  assert str(cost).startswith('A dense image of 448 px takes 1.10 times')
  assert report.find_dense_cost([dense]) is None


def test_the_bottleneck_is_the_largest_part():
  rows = [
    timed('input', 0.2),
    timed('forward_backward', 0.5),
    timed('train_step', 0.6),
    timed('end_to_end', 2.0),
  ]
  bottleneck = report.find_bottleneck(rows)
  parts = (bottleneck.input, bottleneck.compute, bottleneck.optimizer, bottleneck.summaries)
  assert parts == pytest.approx((0.2, 0.5, 0.1, 1.2))
  assert bottleneck.name == 'summaries'
  assert str(bottleneck).startswith('Bottleneck: summaries (input 200.0 ms, compute 500.0 ms')
  rows[-1] = timed('end_to_end', 0.7)
  assert report.find_bottleneck(rows).name == 'compute'
  assert report.find_bottleneck(rows[1:]) is None


def test_rows_survive_a_round_trip_through_a_file(tmp_path):
  path = tmp_path / 'rows.json'
  rows = make_rows()
  here = machine.observe(processor.activity())
  with path.open('wb') as stream:
    report.write_rows(stream, rows, here)
  assert report.read_rows(str(path)) == rows
  assert json.loads(path.read_text())['machine']['cores'] == here.cores


def test_two_files_are_compared_row_by_row():
  old, _ = make_rows()
  statistics = timing.Statistics(0.25, 0.2, 0.4, 0, 0, 4)
  new = dataclasses.replace(old, statistics=statistics)
  ((row, ratio),) = report.compare([new], make_rows())
  assert row is new
  # Quartiles of the old row: 0.5 and 1.
  assert ratio == pytest.approx((3.0, 0.5 / 0.4, 1.0 / 0.2))
  other = dataclasses.replace(new, workload=dataclasses.replace(LOAD, batch_size=1))
  with pytest.raises(BenchmarkError, match='no measurement in common'):
    report.compare([other], [old])


@pytest.mark.parametrize('text', ['', '[]', '{"format": 1}', '{"format": 7, "rows": []}'])
def test_a_file_that_is_not_a_benchmark_output_is_named(tmp_path, text):
  path = tmp_path / 'other.json'
  path.write_text(text)
  with pytest.raises(BenchmarkError, match='other.json'):
    report.read_rows(str(path))
