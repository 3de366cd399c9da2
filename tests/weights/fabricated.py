"""Small networks of several frameworks with random weights, and their files."""

import dataclasses

import keras
import numpy as np
from keras.src.applications import resnet as keras_resnet

from tests import testing
from vgg_slim.compat import tf
from vgg_slim.configs.net import Network
from vgg_slim.nets import specs
from vgg_slim.weights import network_run, slim_ckpt

SIDE = 64  # at which fc6 reads a map of 2x2
CLASSES = 5
UNITS = 6


def network(model, **values):
  """Returns the identity of a small network: of `model`, with SIDE, CLASSES and UNITS."""
  return Network(
    **{'num_classes': CLASSES, 'image_size': SIDE, 'fc_units': UNITS, 'model': model, **values}
  )


def trunk(model, side=SIDE):
  """Returns the identity of a trunk."""
  return Network(None, model, image_size=side)


def small(name):
  """Returns the spec of `name` with few channels; a ResNet's has fewer units and Keras's stem."""
  spec = testing.thin(specs.NETWORKS[name])
  if name in specs.VGG:
    return spec
  blocks = (spec.blocks[0], spec.blocks[1]._replace(units=1))
  return dataclasses.replace(spec, blocks=blocks, stem_channels=64)


def put_small(monkeypatch, name):
  """Replaces the spec of `name` with `small(name)` for one test, and returns it."""
  monkeypatch.setitem(specs.VGG if name in specs.VGG else specs.RESNET, name, small(name))
  return specs.NETWORKS[name]


def random_arrays(shapes, seed=0, out_first=False):
  """Returns random arrays that keep activations near 1, with positive variances.

  Args:
    shapes: shapes of kernels and vectors, by name.
    seed: random seed.
    out_first: whether the output is the first dimension of a kernel, as in torch, or the last.
  """
  rng = np.random.default_rng(seed)
  arrays = {}
  for name, shape in shapes.items():
    part = name.rpartition('/')[2].rpartition('.')[2]
    if len(shape) > 1:
      fan_in = np.prod(shape[1:] if out_first else shape[:-1])
      values = rng.normal(0, (2 / fan_in) ** 0.5, shape)  # He initialization
    elif part in ('moving_variance', 'running_var', 'gamma', 'weight'):
      values = rng.uniform(0.5, 2, shape)
    else:
      values = rng.normal(0, 0.2, shape)
    arrays[name] = values.astype(np.float32)
  return arrays


def check_logits(got, truth, rtol=1e-5):
  """Checks logits within `rtol` of the largest value, and that they depend on the image.

  float32 sums in a different order differ by up to a tenth of the default after 22 layers.
  """
  np.testing.assert_allclose(got, truth, rtol=0, atol=rtol * np.abs(truth).max())
  # Biases alone would give all images the same logits.
  assert np.abs(truth - truth.mean(0)).max() > 1e-3 * np.abs(truth).max()


def randomize(model, seed=0):
  """Gives a Keras model random weights, including batch-norm statistics."""
  rng = np.random.default_rng(seed)
  for variable in model.weights:
    part, shape = variable.path.rpartition('/')[2], variable.shape
    if part == 'kernel':
      variable.assign(rng.normal(0, (2 / np.prod(shape[:-1])) ** 0.5, shape))
    elif part in ('gamma', 'moving_variance'):
      variable.assign(rng.uniform(0.5, 2, shape))
    else:
      variable.assign(rng.normal(0, 0.2, shape))
  return model


def keras_vgg(spec, *, named=True, conv_bias=None, top=True, classes=CLASSES, **norm):
  """Returns a VGG in Keras, with names as in keras.applications and `norm` for its batch norms."""
  layers = keras.layers
  conv_bias = not spec.batch_norm if conv_bias is None else conv_bias

  def name(text):
    return {'name': text} if named else {}

  stack = [layers.Input([SIDE, SIDE, 3])]
  for s, stage in enumerate(spec.stages, start=1):
    for u, conv in enumerate(stage, start=1):
      conv_name = f'block{s}_conv{u}'
      stack.append(
        layers.Conv2D(
          conv.channels, conv.kernel, padding='same', use_bias=conv_bias, **name(conv_name)
        )
      )
      if spec.batch_norm:
        stack.append(layers.BatchNormalization(**norm, **name(f'{conv_name}_bn')))
      stack.append(layers.ReLU())
    stack.append(layers.MaxPooling2D(2, **name(f'block{s}_pool')))
  if top:
    stack += [layers.Flatten()]
    stack += [layers.Dense(UNITS, 'relu', **name(fc)) for fc in ('fc1', 'fc2')]
    stack += [layers.Dense(classes, 'softmax', **name('predictions'))]
  return randomize(keras.Sequential(stack))


def keras_resnet50(spec, classes=CLASSES):
  """Returns the ResNet of keras.applications with the blocks of a thin spec."""

  def stack_fn(x):
    for b, block in enumerate(spec.blocks, start=1):
      x = keras_resnet.stack_residual_blocks_v1(
        x, block.channels, block.units, stride1=block.stride, name=f'conv{b + 1}'
      )
    return x

  model = keras_resnet.ResNet(
    stack_fn,
    preact=False,
    use_bias=True,
    weights=None,
    input_shape=(SIDE, SIDE, 3),
    classes=classes,
    name='thin_resnet',
    weights_name=None,
  )
  return randomize(model)


def random_images(seed=1):
  """Returns random images, float32 [2, SIDE, SIDE, 3], RGB with the mean subtracted."""
  return np.random.default_rng(seed).normal(0, 60, [2, SIDE, SIDE, 3]).astype(np.float32)


def keras_logits(model, images):
  """Returns the logits below a final softmax."""
  model.layers[-1].activation = keras.activations.linear
  return np.asarray(model(images, training=False))


def our_logits(identity, prefix, images):
  """Returns the logits, or a trunk's last map, of a network with the weights of a checkpoint."""
  arrays = slim_ckpt.read(str(prefix)).arrays
  return network_run.run(
    identity, {name.partition('/')[2]: array for name, array in arrays.items()}, images
  )


def save_checkpoint(prefix, arrays, version=2):
  """Writes arrays as a checkpoint, with a step and an optimizer slot as training does."""
  values = {
    **arrays,
    f'{min(arrays)}/Momentum': np.zeros(2, np.float32),
    'global_step': np.int64(7),
  }
  with tf.Graph().as_default(), tf.Session() as session:
    for name, array in values.items():
      tf.get_variable(name, array.shape, array.dtype)
    testing.assign(session, values)
    writer = tf.train.SaverDef.V1 if version == 1 else tf.train.SaverDef.V2
    tf.train.Saver(write_version=writer).save(
      session, str(prefix), write_meta_graph=False, write_state=False
    )
