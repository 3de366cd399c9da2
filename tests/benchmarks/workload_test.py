import dataclasses

import pytest

from vgg_slim.benchmarks.workload import Workload, flop
from vgg_slim.errors import ConfigError

VGG16 = Workload('forward', 'vgg16', 1, 224)


def work(**changes):
  return flop(dataclasses.replace(VGG16, **changes))


def test_vgg16_at_224_px():
  # 15.47 G multiply-adds, timm's count (Wightman); conv1_1 has 224 * 224 * 27 * 64 of them.
  forward = 15_470_264_320
  assert work() == 2 * forward
  assert work(batch_size=8) == 16 * forward
  assert work(what='cold_start') == 2 * forward
  assert work(what='train_step') == 2 * (3 * forward - 224 * 224 * 27 * 64)
  assert work(what='forward_backward') == work(what='end_to_end') == work(what='train_step')
  assert work(what='input') == work(what='convert', batch_size=10) == 0


def test_dense_is_the_convolutions_by_area_and_the_layers_by_score():
  # A 384 px picture has (384 / 224)^2 the pixels of each map and a 6x6 score map.
  layers = 25_088 * 4096 + 4096 * 4096 + 4096 * 1000
  convolutions = 15_470_264_320 - layers
  assert work(what='dense', image_size=384) == 2 * (convolutions * 384**2 // 224**2 + 36 * layers)


def test_every_mistake_at_once():
  with pytest.raises(ConfigError, match="what must be .* got 'fwd'; .*'int8'; batch_size .* got 0"):
    Workload('fwd', 'vgg16', 0, 224, precision='int8')
  with pytest.raises(ConfigError, match='too small'):
    Workload('forward', 'vgg16', 1, 16)
  with pytest.raises(ConfigError, match='batch_size must be at least 10, got 9; image_size .* 0'):
    Workload('convert', 'vgg16', 9, 0)
  with pytest.raises(ConfigError, match='image_size=200 is below the 224 pixels of vgg16'):
    Workload('dense', 'vgg16', 1, 200)
