import dataclasses

from vgg_slim.nets.vgg import FLAT_SCOPES, VGG


def test_layer_names_in_both_naming_schemes():
  spec = VGG['vgg_a']
  flat = dataclasses.replace(spec, scopes=FLAT_SCOPES)
  names = [[layer.name for layer in row.layers() if layer.has_weights] for row in (spec, flat)]
  assert names[0][:3] == ['conv1/conv1_1', 'conv2/conv2_1', 'conv3/conv3_1']
  assert names[1][:3] == ['conv1_1', 'conv2_1', 'conv3_1']
  assert names[0][-3:] == ['fc6', 'fc7', 'fc8']
  assert names[1][-3:] == ['fc1', 'fc2', 'fc3']


def test_batch_norm_replaces_the_biases():
  assert not any('conv1_1/biases' in name for name in VGG['vgg_d_bn'].parameter_shapes())
  assert 'fc6/biases' in VGG['vgg_d_bn'].parameter_shapes()
