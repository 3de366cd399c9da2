from vgg_slim.nets.resnet import BOTTLENECK, RESNET


def strides(name):
  return [unit.strides for unit in RESNET[name].units() if unit.stride > 1]


def test_strided_layers_of_each_implementation():
  assert strides('resnet50') == [(2, 1, 1)] * 3
  assert strides('resnet_v1_50') == [(1, 2, 1)] * 3
  assert strides('resnet18') == [(2, 1)] * 3
  strided = [unit.scope for unit in RESNET['resnet50'].units() if unit.stride > 1]
  assert strided == [f'block{b}/unit_1/bottleneck_v1' for b in (2, 3, 4)]
  strided = [unit.scope for unit in RESNET['resnet_v1_50'].units() if unit.stride > 1]
  assert [scope[:13] for scope in strided] == ['block1/unit_3', 'block2/unit_4', 'block3/unit_6']


def test_only_first_units_have_projections():
  for spec in RESNET.values():
    # Basic units do not widen the 64 channels of the stem.
    with_one = [1, 2, 3, 4] if spec.unit_kind == BOTTLENECK else [2, 3, 4]
    assert [u.position for u in spec.units() if u.projection] == [(b, 1) for b in with_one]


def test_the_depth_counts_the_layers_with_weights():
  for depth in (18, 34, 50, 101, 152):
    layers = RESNET[f'resnet{depth}' if depth < 50 else f'resnet_v1_{depth}'].layers()
    assert sum(layer.has_weights and 'shortcut' not in layer.name for layer in layers) == depth
