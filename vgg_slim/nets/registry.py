"""Networks by name: the one call that training, evaluation and export share."""

from vgg_slim.compat import slim, tf
from vgg_slim.constants import IMAGE_SIDE
from vgg_slim.errors import ConfigError
from vgg_slim.nets import specs, vgg
from vgg_slim.nets.outputs import NetOutputs
from vgg_slim.ops.arg_scopes import vgg_arg_scope


def build(
  model: str,
  images: tf.Tensor,
  num_classes: int,
  is_training: bool,
  image_size: int = IMAGE_SIDE,
  fc_units: int = 4096,
  dropout_keep_prob: float = 0.5,
  dropout_seed: tf.Tensor | None = None,
  weight_decay: float = 0.0,
  initializer: str = 'he',
) -> NetOutputs:
  """Adds the network `model` to the default graph.

  Args:
    model: a name of `specs.MODEL_NAMES`.
    images: float32 [N, H, W, 3], RGB, preprocessed; H and W may be unknown.
    num_classes: K.
    is_training: whether dropout drops and batch norm takes the batch's statistics.
    image_size: side, in pixels, at which the class score map is 1x1.
    fc_units: units of fc6 and fc7.
    dropout_keep_prob: of fc6's and fc7's units.
    dropout_seed: int [2], see `layers.dropout_op`.
    weight_decay: multiplies sum(w**2) / 2, into the regularisation losses.
    initializer: a name of `initializers.get`.

  Raises:
    ConfigError: no such network, or images that are smaller than `image_size` allows.
  """
  spec = specs.get(model)
  _check_side(images, spec, image_size)
  arg_scope = vgg_arg_scope(weight_decay, initializer, spec.batch_norm, is_training)
  with slim.arg_scope(arg_scope):
    return vgg.build(
      images,
      spec,
      num_classes,
      is_training,
      image_size=image_size,
      fc_units=fc_units,
      dropout_keep_prob=dropout_keep_prob,
      dropout_seed=dropout_seed,
    )


def _check_side(images: tf.Tensor, spec: specs.VggSpec, image_size: int) -> None:
  smallest = spec.fc_kernel(image_size) * spec.stride
  for side in images.shape.as_list()[1:3]:
    if side is not None and side < smallest:
      raise ConfigError(
        f'Images of {side} pixels are too small for {spec.name} at image_size={image_size}: '
        f'at least {smallest} are needed.'
      )
