import hashlib

import numpy as np
import pytest

from vgg_slim.weights import known_input, published
from vgg_slim.weights.foreign import ForeignWeights


def foreign(framework, **shapes):
  arrays = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
  return ForeignWeights('format', framework, arrays)


TRUNKS = {
  'keras': {'block1_conv1/kernel': (3, 3, 3, 64)},
  'torch': {'features.0.weight': (64, 3, 3, 3)},
  'slim': {'vgg_16/conv1/conv1_1/weights': (3, 3, 3, 64)},
}


@pytest.mark.parametrize(
  ('framework', 'head', 'shape', 'publisher'),
  [
    ('keras', 'predictions/kernel', (4096, 1000), published.KERAS),
    ('torch', 'classifier.6.weight', (1000, 4096), published.TORCHVISION),
    ('slim', 'vgg_16/fc8/weights', (1, 1, 4096, 1000), published.SLIM),
  ],
)
def test_names_and_1000_classes_tell_the_publisher(framework, head, shape, publisher):
  known = known_input.recognize('m', foreign(framework, **TRUNKS[framework], **{head: shape}))
  assert (known.publisher, known.has_classes) == (publisher, True)
  fewer = tuple(7 if side == 1000 else side for side in shape)
  # The same layers trained on other classes may have been trained on any pixels.
  assert (
    known_input.recognize('m', foreign(framework, **TRUNKS[framework], **{head: fewer})) is None
  )


@pytest.mark.parametrize(
  ('framework', 'names', 'publisher'),
  [
    ('keras', ('conv1_conv/kernel', 'predictions/kernel'), published.KERAS),
    ('keras', ('conv1/kernel', 'fc1000/kernel'), published.KERAS),
    ('torch', ('module.conv1.weight', 'module.fc.weight'), published.TORCHVISION),
    ('slim', ('resnet_v1_50/conv1/weights', 'resnet_v1_50/logits/weights'), published.SLIM),
  ],
)
def test_resnets_are_known_by_their_layers(framework, names, publisher):
  shapes = dict(zip(names, ((7, 7, 3, 64), (2048, 1000)), strict=True))
  assert known_input.recognize('m', foreign(framework, **shapes)).publisher is publisher


def test_a_trunk_of_keras_is_known_by_all_of_its_names():
  trunk = {'block1_conv1/kernel': (3, 3, 3, 64), 'block5_conv3/bias': (512,)}
  known = known_input.recognize('m', foreign('keras', **trunk))
  assert (known.publisher, known.has_classes) == (published.KERAS, False)
  larger = {**trunk, 'side_output/kernel': (1, 1, 64, 1)}
  assert known_input.recognize('m', foreign('keras', **larger)) is None


def test_a_copy_is_known_by_its_checksum_under_any_name(tmp_path, monkeypatch):
  content = b'x' * 500_000
  (tmp_path / 'mine').write_bytes(content)
  row = published.FILES[0]._replace(
    checksum=f'md5:{hashlib.md5(content).hexdigest()}', megabytes=0.5
  )
  monkeypatch.setattr(published, 'FILES', (row,))
  known = known_input.recognize(str(tmp_path / 'mine'), foreign('keras', a=(1,)))
  assert known.evidence == 'its checksum is that of keras/vgg16'
  (tmp_path / 'mine').write_bytes(content[:-1] + b'y')
  assert known_input.recognize(str(tmp_path / 'mine'), foreign('keras', a=(1,))) is None
  assert known_input.find_file(str(tmp_path / 'nothing')) is None


def test_the_assumption_is_said_with_its_reason():
  known = known_input.Known(published.KERAS, 'its checksum is that of keras/vgg16', True)
  assert known_input.describe_assumption(known, 'keras') == (
    'input: B, G, R in 0..255 minus R, G, B 123.68,116.779,103.939, because its checksum is that '
    'of keras/vgg16.'
  )
  known = known_input.Known(published.TORCHVISION, 'E', True)
  assert 'minus R, G, B 123.675,116.28,103.53, divided by 58.395,57.12,57.375, because E.' in (
    known_input.describe_assumption(known, 'keras')
  )


@pytest.mark.parametrize(
  ('framework', 'advice'),
  [
    ('keras', 'After training on the pixels of Keras, give --bgr; after training on 0..1, --rgb_m'),
    (
      'torch',
      'of torchvision, give --rgb_mean=123.675,116.28,103.53 --rgb_std=58.395,57.12,57.375;',
    ),
    ('npz', 'tells. After training on 0..1, give --rgb_mean=0,0,0 --pixel_scale=0.00392157. Check'),
  ],
)
def test_an_unknown_file_gets_the_assumption_and_the_way_to_check_it(framework, advice):
  unknown = known_input.describe_assumption(None, framework)
  assert 'assumed to be R, G, B in 0..255 minus 123.68,116.779,103.939, because' in unknown
  assert advice in unknown
  assert unknown.endswith(
    'Check it with tools/predict on an image whose class you know; the comparison with the source '
    'cannot.'
  )
