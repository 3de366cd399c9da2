from vgg_slim.nets.resnet_specs import RESNET


def strides(name):
  return [unit.strides for unit in RESNET[name].units() if unit.strides != (1, 1, 1)]


def test_strided_layers_of_each_implementation():
  assert strides('resnet50') == [(2, 1, 2)] * 3
  assert strides('resnet_v1_50') == [(1, 2, 2)] * 3
  strided = [unit.scope for unit in RESNET['resnet50'].units() if max(unit.strides) > 1]
  assert strided == [f'block{b}/unit_1/bottleneck_v1' for b in (2, 3, 4)]
  strided = [unit.scope for unit in RESNET['resnet_v1_50'].units() if max(unit.strides) > 1]
  assert [scope[:13] for scope in strided] == ['block1/unit_3', 'block2/unit_4', 'block3/unit_6']


def test_only_first_units_have_projections():
  for spec in RESNET.values():
    assert [u.projection for u in spec.units()] == ['unit_1/' in u.scope for u in spec.units()]


def test_the_depth_counts_the_layers_with_weights():
  for depth in (50, 101, 152):
    layers = RESNET[f'resnet_v1_{depth}'].layers()
    assert sum(layer.has_weights and 'shortcut' not in layer.name for layer in layers) == depth
