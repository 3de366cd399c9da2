import pytest

from vgg_slim.benchmarks import growth, timing
from vgg_slim.benchmarks.turns import Outcome
from vgg_slim.benchmarks.workload import Workload
from vgg_slim.errors import ConfigError

LOAD = Workload('forward', 'vgg16', 8, 224, threads=2)
CONVERSION = Workload('convert', 'vgg16', 1000, 8, threads=2)
BATCH = growth.AXES['batch_size']
SIDE = growth.AXES['image_size']


def outcomes(axis, load, turns_of_values, system='vgg_slim'):
  loads = growth.vary(axis, load, list(turns_of_values))
  return [
    Outcome(system, one, turns, 2**30)
    for one, turns in zip(loads, turns_of_values.values(), strict=True)
  ]


def test_every_value_once_in_rising_order():
  loads = growth.vary(BATCH, LOAD, [16, 1, 4, 4])
  assert [load.batch_size for load in loads] == [1, 4, 16]
  assert {load.image_size for load in loads} == {224}
  loads = growth.vary(growth.AXES['workers'], CONVERSION, [1, 2])
  assert [load.threads for load in loads] == [1, 2]
  loads = growth.vary(growth.AXES['records'], CONVERSION, [10, 20])
  assert [load.batch_size for load in loads] == [10, 20]


@pytest.mark.parametrize('axis', growth.AXES.values())
def test_an_axis_can_be_measured_at_its_own_values(axis):
  load = Workload(axis.kinds[0], 'resnet50', 16, 224)
  assert len(growth.vary(axis, load, axis.values)) == len(axis.values)


@pytest.mark.parametrize(
  ('axis', 'load', 'values', 'message'),
  [
    ('batch_size', LOAD, [4, 4], 'values=4,4: growth needs two'),
    ('records', LOAD, [10, 20], 'what=forward: growth with records .* on convert'),
    ('batch_size', LOAD, [0, 1], 'batch_size must be at least 1, got 0'),
    ('records', CONVERSION, [1, 20], 'batch_size must be at least 10, got 1'),
    ('image_size', LOAD, [16, 32], 'too small'),
  ],
)
def test_what_cannot_be_varied(axis, load, values, message):
  with pytest.raises(ConfigError, match=message):
    growth.vary(growth.AXES[axis], load, values)


def test_cost_of_a_picture_against_the_batch_by_hand():
  # A picture takes 2, 1, 1.25 seconds; at 16 turn by turn 1.0 and 1.5 times that at 4.
  measured = outcomes(BATCH, LOAD, {1: [[2], [2]], 4: [[4], [4]], 16: [[16], [24]]})
  (found,) = growth.find_growth(BATCH, measured)
  assert found.name == 'vgg_slim forward of vgg16, float32'
  one, four, sixteen = found.points
  assert [point.value for point in found.points] == [1, 4, 16]
  assert [point.picture.median for point in found.points] == [2, 1, 1.25]
  assert [point.linear for point in found.points] == [2, 1, 1]
  assert (one.growth, one.cheapest) == (None, None)
  assert (four.growth, four.cheapest) == (timing.Ratio(0.5, 0.5, 0.5), 1)
  assert (sixteen.growth, sixteen.cheapest) == (timing.Ratio(1.25, 1.125, 1.375), 4)
  assert found.worst == sixteen
  assert not found.is_linear
  assert str(found) == (
    'vgg_slim forward of vgg16, float32: worse than linear. A picture costs at most 1.25x '
    '(1.12 - 1.38) what it costs at fewer pictures in a batch: at 16, over 4; up to 1.15x passes '
    'for noise.'
  )


def test_cost_of_a_pixel_against_the_side_by_hand():
  # Of 8 pictures of 100 px, then of 200 px: 80,000 and 320,000 pixels, 10 and 11 ns each.
  measured = outcomes(SIDE, LOAD, {100: [[800e-6]], 200: [[3520e-6]]})
  (found,) = growth.find_growth(SIDE, measured)
  small, large = found.points
  assert (small.picture.median, large.picture.median) == pytest.approx((100e-6, 440e-6))
  assert (small.unit_seconds, large.unit_seconds) == pytest.approx((10e-9, 11e-9))
  assert (small.linear, large.linear) == pytest.approx((100e-6, 400e-6))
  assert large.growth.value == pytest.approx(1.1)
  assert found.is_linear
  assert 'no worse than linear. A pixel costs at most 1.10x' in str(found)
  row = dict(zip(growth.headings(SIDE), growth.cells(SIDE, large), strict=True))
  assert row == {
    'pixels a side': '200',
    'a picture': '0.44 ms',
    'quartiles': '0.44 - 0.44',
    'a pixel': '11 ns',
    'growth': '1.10x (1.10 - 1.10) of 100',
    'peak memory': '1.0 GiB',
  }


def test_slow_growth_adds_up():
  # 1.1 times each step is within the tolerance, 1.1 * 1.1 is not.
  measured = outcomes(BATCH, LOAD, {1: [[1.0]], 2: [[2.2]], 4: [[4.84]]})
  (found,) = growth.find_growth(BATCH, measured)
  assert found.worst.growth.value == pytest.approx(1.21)
  assert not found.is_linear


def test_each_system_by_itself_and_none_of_what_is_absent():
  ours = outcomes(BATCH, LOAD, {1: [[1.0]], 2: [[2.0]]})
  torch = outcomes(BATCH, LOAD, {1: [[3.0]], 2: [[4.0]]}, 'torch')
  keras = outcomes(BATCH, LOAD, {1: [], 2: []}, 'keras')
  mixed = [one for several in zip(ours, keras, torch, strict=True) for one in several]
  found = growth.find_growth(BATCH, mixed)
  assert [(one.system, one.worst.growth.value) for one in found] == [
    ('vgg_slim', 1.0),
    ('torch', pytest.approx(2 / 3)),
  ]


def test_a_conversion_has_no_network_and_a_batch_no_pixels():
  measured = outcomes(growth.AXES['records'], CONVERSION, {10: [[1.0]], 20: [[2.0]]})
  (found,) = growth.find_growth(growth.AXES['records'], measured)
  assert found.name == 'vgg_slim convert'
  headings = growth.headings(found.axis)
  assert 'a pixel' not in headings
  assert [len(growth.cells(found.axis, point)) for point in found.points] == [len(headings)] * 2
