"""Networks by name, built by one function for training, evaluation and export."""

import contextlib

from vgg_slim.compat import slim, tf
from vgg_slim.configs.config import NetConfig
from vgg_slim.constants import FC_UNITS
from vgg_slim.errors import ConfigError
from vgg_slim.nets import specs
from vgg_slim.nets.arg_scopes import net_arg_scope
from vgg_slim.nets.heads import build_head
from vgg_slim.nets.mode import Inference, Mode, Training
from vgg_slim.nets.outputs import NetOutputs, as_two_classes
from vgg_slim.nets.trunk import build_trunk
from vgg_slim.ops import weight_decay
from vgg_slim.ops.fast_gradients import fast_gradients


def build(
  model: str | specs.NetSpec,
  images: tf.Tensor,
  num_classes: int | None,
  mode: Mode = Inference(),
  image_size: int | None = None,
  fc_units: int = FC_UNITS,
  dropout_keep_prob: float = 0.5,
  initializer: str = NetConfig.initializer,
  head: str | None = None,
) -> NetOutputs:
  """Adds the network `model` to the default graph.

  >>> with tf.Graph().as_default():
  ...   images = tf.placeholder(tf.float32, [None, 224, 256, 3])
  ...   outputs = vgg_slim.build('vgg16@8', images, num_classes=10)
  >>> outputs.logits.shape.as_list()  # the spatial average of the class score map
  [None, 10]
  >>> outputs.score_map.shape.as_list()
  [None, 1, 2, 10]

  Args:
    model: name of the network in `specs.MODEL_NAMES`, or a specification.
    images: float32 [N, H, W, 3], RGB, preprocessed; H and W may be unknown.
    num_classes: number of classes K; 1 for a single sigmoid; None for the trunk alone, without
      score map and logits.
    mode: `Training(...)` or `Inference(...)`, which determine how dropout, batch norm and
      convolutions are built.
    image_size: side of the images, in pixels, at which the class score map is 1x1; the network's
      own by default. A linear head on averaged features (ResNet) scores every cell of the last map
      at any size.
    fc_units: number of units of fc6 and fc7.
    dropout_keep_prob: probability that dropout in the head keeps a unit; the trunk of `vgg_cifar`
      has its own rates.
    initializer: name of the weight initializer, see `initializers.get`.
    head: name of the head in `head_specs.HEADS`; the network's own by default.

  Raises:
    ConfigError: an argument is of another kind, there is no such network or head, the images are
      too small for `image_size`, or the network does not support the pool rounding.
  """
  _check_arguments(images, num_classes, mode)
  spec = specs.get(model) if isinstance(model, str) else model
  image_size, head = image_size or spec.image_size, head or spec.head
  window = 1 if num_classes is None else spec.head_window(image_size, head)
  spec.check_sides(images.shape.as_list()[1:3], image_size, window)
  if isinstance(mode, Inference):
    spec.check_pool_rounding(mode.pool_rounding)
  arg_scope = net_arg_scope(mode, initializer, spec.batch_norm, spec.conv_biases)
  # Otherwise every exported graph would contain the names of our gradient functions.
  training = mode if isinstance(mode, Training) else None
  gradients = fast_gradients if training else contextlib.nullcontext
  recomputed = (training.stage_parts, training.trainable_scopes) if training else ()
  with tf.variable_scope(spec.scope), slim.arg_scope(arg_scope), gradients():
    net, end_points = build_trunk(images, spec, *recomputed)
    outputs = NetOutputs(None, None, end_points)
    if num_classes is not None:
      outputs = build_head(
        net, end_points, spec, num_classes, image_size, fc_units, dropout_keep_prob, head
      )
    if training:
      weight_decay.add_losses(training.weight_decay, training.weight_decay_on)
  return outputs


def build_from_config(net: NetConfig, images: tf.Tensor, mode: Mode) -> NetOutputs:
  """Calls `build` with the fields of a `NetConfig`.

  Returns:
    Scores of `num_classes` classes; a sigmoid is converted by `as_two_classes`.
  """
  outputs = build(
    net.model,
    images,
    net.num_logits,
    mode,
    image_size=net.image_size,
    fc_units=net.fc_units,
    dropout_keep_prob=net.dropout_keep_prob,
    initializer=net.initializer,
    head=net.head,
  )
  return as_two_classes(outputs) if net.is_sigmoid else outputs


def _check_arguments(images: tf.Tensor, num_classes: int | None, mode: Mode) -> None:
  if not isinstance(mode, Training | Inference):
    raise ConfigError(f'mode must be Training(...) or Inference(...), got {mode!r}.')
  if num_classes is not None and num_classes < 1:
    raise ConfigError(f'num_classes must be at least 1, or None for the trunk, got {num_classes}.')
  if not tf.is_tensor(images) or images.shape.rank != 4 or images.shape[-1] != 3:
    shape = images.shape if hasattr(images, 'shape') else type(images).__name__
    raise ConfigError(f'images must be a tensor [N, H, W, 3] of float32, got {shape}.')
