import json
import subprocess
import sys

import pytest

from tests import soak

MIB = 2**20
PART = soak.Part('units', 1000, most_bytes=1000, work=lambda folder, units, watch: None)


def samples_of(**slopes):
  """A sample for every tenth unit of 1,000; quantities grow by `slopes` per unit."""
  first = {'resident': 500 * MIB, 'descriptors': 9, 'threads': 30, 'operations': 400}
  return [
    soak.Sample(
      units, **{name: round(n + units * slopes.get(name, 0)) for name, n in first.items()}
    )
    for units in range(0, 1001, 10)
  ]


def result_of(samples, part=PART):
  return soak.Result(part, 1000, 60.0, samples)


def test_a_slope_and_its_error_are_those_of_least_squares():
  ys = [10, 12, 11, 15]
  samples = [soak.Sample(x, y, 0, 0, 0) for x, y in enumerate(ys)]
  # Sums of squares by hand: 5 of x, 7 of the products, so that the residuals are 4.2.
  slope = soak.Slope.fit(samples, 'resident')
  assert slope.value == pytest.approx(7 / 5)
  assert slope.error == pytest.approx((4.2 / 2 / 5) ** 0.5)
  assert slope.exceeds(0)
  assert not slope.exceeds(0.2)


@pytest.mark.parametrize(
  ('slopes', 'faults'),
  [
    ({}, []),
    ({'resident': 900}, []),
    ({'resident': 1100}, ['resident']),
    ({'descriptors': 0.01}, ['descriptors']),
    ({'threads': 0.1}, ['threads']),
    ({'operations': 0.003}, ['operations']),
  ],
)
def test_what_grows_is_a_fault(slopes, faults):
  result = result_of(samples_of(**slopes))
  assert result.faults() == faults
  assert ('GREW' in result.text()) == bool(faults)


def test_growth_in_the_warm_up_and_noise_are_no_faults():
  samples = samples_of()
  for i in range(21):
    samples[i] = samples[i]._replace(resident=i * 20 * MIB)
  samples[50::2] = [sample._replace(resident=501 * MIB) for sample in samples[50::2]]
  samples[-1] = samples[-1]._replace(threads=32)
  assert result_of(samples).faults() == []


def test_a_leak_is_found(tmp_path):
  # In a process of its own, whose other memory is not freed meanwhile; new pages by mmap, since
  # malloc may return some that are resident already.
  script = """
import json, mmap, pathlib, sys
from tests import soak
kept = []
def leak(folder, units, watch):
  for done in range(1, units + 1):
    kept.append(mmap.mmap(-1, 2**20))
    kept[-1].write(bytes(2**20))
    watch(done, 0)
result = soak.run_part(soak.Part('leaks', 50, 100_000, leak), pathlib.Path(sys.argv[1]), scale=1)
print(json.dumps([result.faults(), result.slopes()['resident'].value]), file=sys.stderr)
"""
  ended = subprocess.run(
    [sys.executable, '-c', script, tmp_path], capture_output=True, text=True, timeout=120
  )
  faults, slope = json.loads(ended.stderr.splitlines()[-1])
  assert faults == ['resident']
  assert slope == pytest.approx(MIB, rel=0.05)


def test_a_short_soak_of_everything_adds_no_descriptors_and_no_operations(tmp_path, capsys):
  results = soak.soak(tmp_path, scale=0.003)
  assert [result.units for result in results] == [30, 10, 60, 10]
  for result in results:
    # Memory needs a longer run.
    assert not {'descriptors', 'threads', 'operations'} & set(result.faults()), result.text()
  assert [row.split(' | ')[0] for row in capsys.readouterr().out.splitlines()[2:]] == [
    '| 30 training steps',
    '| 10 evaluations',
    '| 60 predictions',
    '| 10 networks built and closed',
  ]


@pytest.mark.parametrize('scale', ['0', '-1', 'nan', 'inf', 'x'])
def test_a_scale_that_is_no_length_is_refused(scale, capsys):
  with pytest.raises(SystemExit, match='2'):
    soak.parse_arguments([f'--scale={scale}'])
  assert 'argument --scale: invalid' in capsys.readouterr().err
