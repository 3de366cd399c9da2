import dataclasses

import pytest

from vgg_slim.benchmarks.workload import Workload, flop
from vgg_slim.errors import ConfigError

VGG16 = Workload('forward', 'vgg16', 1, 224)


def work(**changes):
  return flop(dataclasses.replace(VGG16, **changes))


def test_flop_of_vgg16_at_224_px():
  # timm counts 15.47 G multiply-adds, of which conv1_1 has 224 * 224 * 27 * 64.
  forward = 15_470_264_320
  assert work() == 2 * forward
  assert work(batch_size=8) == 16 * forward
  assert work(what='cold_start') == 2 * forward
  assert work(what='train_step') == 2 * (3 * forward - 224 * 224 * 27 * 64)
  assert work(what='forward_backward') == work(what='end_to_end') == work(what='train_step')
  assert work(what='input') == work(what='convert', batch_size=10) == 0


def test_dense_flop_scales_convolutions_by_area_and_dense_layers_by_scores():
  # Each map of a 384 px image has (384 / 224)^2 times the pixels, and the score map is 6x6.
  head = 25_088 * 4096 + 4096 * 4096 + 4096 * 1000
  convolutions = 15_470_264_320 - head
  assert work(what='dense', image_size=384) == 2 * (convolutions * 384**2 // 224**2 + 36 * head)


def test_all_invalid_values_are_listed_at_once():
  with pytest.raises(ConfigError, match="what must be .* got 'fwd'; .*'int8'; batch_size .* got 0"):
    Workload('fwd', 'vgg16', 0, 224, precision='int8')
  with pytest.raises(ConfigError, match='too small'):
    Workload('forward', 'vgg16', 1, 16)
  with pytest.raises(ConfigError, match='batch_size must be at least 10, got 9; image_size .* 0'):
    Workload('convert', 'vgg16', 9, 0)
  with pytest.raises(ConfigError, match='image_size=200 is below the 224 pixels of vgg16'):
    Workload('dense', 'vgg16', 1, 200)
