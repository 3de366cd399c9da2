"""Networks by name: the one call that training, evaluation and export share."""

from collections.abc import Sequence

from vgg_slim.compat import slim, tf
from vgg_slim.config import NetConfig
from vgg_slim.errors import ConfigError
from vgg_slim.nets import resnet_v1, specs, vgg
from vgg_slim.nets.heads import build_head
from vgg_slim.nets.net_spec import FC_UNITS
from vgg_slim.nets.outputs import NetOutputs, as_two_classes
from vgg_slim.ops.arg_scopes import net_arg_scope
from vgg_slim.ops.conv_gradient import fast_kernel_gradients
from vgg_slim.ops.layers import DropoutSeed

# How the rows of each table become graphs: (images, spec) -> (last map, end points).
TRUNKS = {
  specs.VggSpec: vgg.build_trunk,
  specs.ResNetSpec: resnet_v1.build_trunk,
}


def build(
  model: str | specs.NetSpec,
  images: tf.Tensor,
  num_classes: int | None,
  is_training: bool,
  image_size: int | None = None,
  fc_units: int = FC_UNITS,
  dropout_keep_prob: float = 0.5,
  dropout_seed: DropoutSeed | tf.Tensor | None = None,
  weight_decay: float = 0.0,
  initializer: str = NetConfig.initializer,
  head: str | None = None,
  trainable_scopes: Sequence[str] = (),
  sync_batch_norm: bool = False,
  cache_dtype: tf.DType | None = None,
  fast_cpu_conv: bool = False,
) -> NetOutputs:
  """Adds the network `model` to the default graph.

  Args:
    model: a name of `specs.MODEL_NAMES`, or a row of your own.
    images: float32 [N, H, W, 3], RGB, preprocessed; H and W may be unknown.
    num_classes: K; 1 for a single sigmoid; None for the trunk alone, without score map and logits.
    is_training: whether dropout drops and batch norm takes the batch's statistics; the updates of
      its moving averages are left in UPDATE_OPS.
    image_size: side, in pixels, at which the class score map is 1x1; the row's own by default. A
      linear head on averaged features (ResNet) scores every pixel of its map at any size.
    fc_units: units of fc6 and fc7.
    dropout_keep_prob: of the head's units; the rates within `vgg_cifar`'s trunk are the table's.
    dropout_seed: see `layers.dropout_op`.
    weight_decay: multiplies sum(w**2) / 2, into the regularisation losses.
    initializer: a name of `initializers.get`.
    head: a name of `head_specs.HEADS`; the row's own by default.
    trainable_scopes: batch norm outside of these is frozen, in training too; empty for none frozen.
    sync_batch_norm: whether batch norm takes the statistics of all replicas' pictures together.
    cache_dtype: for graphs that never train: batch norm is folded into the convolutions, and
      kernels are cached in this dtype; call `cached_weights.fill` once the variables have values.
    fast_cpu_conv: for float32 sessions on a CPU: 3x3 convolutions run by `winograd` where that is
      faster, and fully-connected layers slide over larger maps by copying patches. Exports leave it
      off, so that they contain plain convolutions.

  Raises:
    ConfigError: no such network or head, or images that are smaller than `image_size` allows.
  """
  spec = specs.get(model) if isinstance(model, str) else model
  image_size, head = image_size or spec.image_size, head or spec.head
  window = 1 if num_classes is None else spec.head_window(image_size, head)
  _check_side(images, spec, image_size, window)
  arg_scope = net_arg_scope(
    weight_decay,
    initializer,
    spec.batch_norm,
    spec.conv_biases,
    is_training,
    dropout_seed,
    trainable_scopes,
    sync_batch_norm,
    cache_dtype,
    fast_cpu_conv,
  )
  with tf.variable_scope(spec.scope), slim.arg_scope(arg_scope), fast_kernel_gradients():
    net, end_points = TRUNKS[type(spec)](images, spec)
    if num_classes is None:
      return NetOutputs(None, None, end_points)
    return build_head(
      net, end_points, spec, num_classes, image_size, fc_units, dropout_keep_prob, head
    )


def build_from_config(
  net: NetConfig,
  images: tf.Tensor,
  is_training: bool,
  dropout_seed: DropoutSeed | tf.Tensor | None = None,
  weight_decay: float = 0.0,
  trainable_scopes: Sequence[str] = (),
  sync_batch_norm: bool = False,
  cache_dtype: tf.DType | None = None,
  fast_cpu_conv: bool = False,
) -> NetOutputs:
  """`build` with the fields of a `NetConfig`; the other arguments are those of `build`.

  Returns:
    Scores of `num_classes` classes; those of a sigmoid come by way of `as_two_classes`.
  """
  outputs = build(
    net.model,
    images,
    net.num_logits,
    is_training,
    image_size=net.image_size,
    fc_units=net.fc_units,
    dropout_keep_prob=net.dropout_keep_prob,
    initializer=net.initializer,
    head=net.head,
    dropout_seed=dropout_seed,
    weight_decay=weight_decay,
    trainable_scopes=trainable_scopes,
    sync_batch_norm=sync_batch_norm,
    cache_dtype=cache_dtype,
    fast_cpu_conv=fast_cpu_conv,
  )
  return as_two_classes(outputs) if net.classifier_activation == 'sigmoid' else outputs


def _check_side(images: tf.Tensor, spec: specs.NetSpec, image_size: int, window: int) -> None:
  smallest = spec.smallest_side(window)
  for side in images.shape.as_list()[1:3]:
    if side is not None and side < smallest:
      raise ConfigError(
        f'Images of {side} pixels are too small for {spec.name} at image_size={image_size}: '
        f'at least {smallest} are needed.'
      )
