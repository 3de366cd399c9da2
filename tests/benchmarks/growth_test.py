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


def test_vary_sorts_values_and_drops_duplicates():
  loads = growth.vary(BATCH, LOAD, [16, 1, 4, 4])
  assert [load.batch_size for load in loads] == [1, 4, 16]
  assert {load.image_size for load in loads} == {224}
  loads = growth.vary(growth.AXES['workers'], CONVERSION, [1, 2])
  assert [load.threads for load in loads] == [1, 2]
  loads = growth.vary(growth.AXES['records'], CONVERSION, [10, 20])
  assert [load.batch_size for load in loads] == [10, 20]


@pytest.mark.parametrize('axis', growth.AXES.values())
def test_an_axis_can_be_measured_at_its_default_values(axis):
  load = Workload(axis.kinds[0], 'resnet50', 16, 224)
  assert len(growth.vary(axis, load, axis.values)) == len(axis.values)


@pytest.mark.parametrize(
  ('axis', 'load', 'values', 'message'),
  [
    ('batch_size', LOAD, [4, 4], 'values=4,4: growth needs two'),
    ('records', LOAD, [10, 20], 'what=forward: growth with records .* for convert only'),
    ('batch_size', LOAD, [0, 1], 'batch_size must be at least 1, got 0'),
    ('records', CONVERSION, [1, 20], 'batch_size must be at least 10, got 1'),
    ('image_size', LOAD, [16, 32], 'too small'),
  ],
)
def test_invalid_values_and_kinds_are_refused(axis, load, values, message):
  with pytest.raises(ConfigError, match=message):
    growth.vary(growth.AXES[axis], load, values)


def test_cost_per_image_against_the_batch_size_by_hand():
  # An image takes 2, 1 and 1.25 seconds; in the two turns at 16, 1.0 and 1.5 times that at 4.
  measured = outcomes(BATCH, LOAD, {1: [[2], [2]], 4: [[4], [4]], 16: [[16], [24]]})
  (result,) = growth.find_growth(BATCH, measured)
  assert result.name == 'vgg_slim forward of vgg16, float32'
  one, four, sixteen = result.points
  assert [point.value for point in result.points] == [1, 4, 16]
  assert [point.image_seconds.median for point in result.points] == [2, 1, 1.25]
  assert [point.linear for point in result.points] == [2, 1, 1]
  assert (one.growth, one.cheapest) == (None, None)
  assert (four.growth, four.cheapest) == (timing.Ratio(0.5, 0.5, 0.5), 1)
  assert (sixteen.growth, sixteen.cheapest) == (timing.Ratio(1.25, 1.125, 1.375), 4)
  assert result.worst == sixteen
  assert not result.is_linear
  assert str(result) == (
    'vgg_slim forward of vgg16, float32: worse than linear. The cost per image is at most 1.25x '
    '(1.12 - 1.38) the cost at fewer images per batch: at 16, compared with 4; up to 1.15x counts '
    'as noise.'
  )


def test_cost_per_pixel_against_the_side_by_hand():
  # 8 images of 100 px, then of 200 px: 80,000 and 320,000 pixels, 10 and 11 ns per pixel.
  measured = outcomes(SIDE, LOAD, {100: [[800e-6]], 200: [[3520e-6]]})
  (result,) = growth.find_growth(SIDE, measured)
  small, large = result.points
  assert (small.image_seconds.median, large.image_seconds.median) == pytest.approx((100e-6, 440e-6))
  assert (small.unit_seconds, large.unit_seconds) == pytest.approx((10e-9, 11e-9))
  assert (small.linear, large.linear) == pytest.approx((100e-6, 400e-6))
  assert large.growth.value == pytest.approx(1.1)
  assert result.is_linear
  assert 'no worse than linear. The cost per pixel is at most 1.10x' in str(result)
  row = dict(zip(growth.headings(SIDE), growth.cells(SIDE, large), strict=True))
  assert row == {
    'pixels per side': '200',
    'per image': '0.44 ms',
    'quartiles': '0.44 - 0.44',
    'per pixel': '11 ns',
    'growth': '1.10x (1.10 - 1.10) of 100',
    'peak memory': '1.0 GiB',
  }


def test_slow_growth_accumulates_over_the_values():
  # A factor of 1.1 at each step is within the tolerance, 1.1 * 1.1 is not.
  measured = outcomes(BATCH, LOAD, {1: [[1.0]], 2: [[2.2]], 4: [[4.84]]})
  (result,) = growth.find_growth(BATCH, measured)
  assert result.worst.growth.value == pytest.approx(1.21)
  assert not result.is_linear


def test_systems_are_compared_with_themselves_and_absent_ones_are_left_out():
  ours = outcomes(BATCH, LOAD, {1: [[1.0]], 2: [[2.0]]})
  torch = outcomes(BATCH, LOAD, {1: [[3.0]], 2: [[4.0]]}, 'torch')
  keras = outcomes(BATCH, LOAD, {1: [], 2: []}, 'keras')
  mixed = [one for several in zip(ours, keras, torch, strict=True) for one in several]
  results = growth.find_growth(BATCH, mixed)
  assert [(result.system, result.worst.growth.value) for result in results] == [
    ('vgg_slim', 1.0),
    ('torch', pytest.approx(2 / 3)),
  ]


def test_growth_of_a_conversion_names_no_network_and_no_pixels():
  measured = outcomes(growth.AXES['records'], CONVERSION, {10: [[1.0]], 20: [[2.0]]})
  (result,) = growth.find_growth(growth.AXES['records'], measured)
  assert result.name == 'vgg_slim convert'
  headings = growth.headings(result.axis)
  assert 'per pixel' not in headings
  assert [len(growth.cells(result.axis, point)) for point in result.points] == [len(headings)] * 2
