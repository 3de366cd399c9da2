"""Imports trained weights of other frameworks as a TensorFlow checkpoint with slim's names.

  tools/import_weights --from=vgg16.keras --model=vgg16 --output=weights/vgg16 --bgr
  tools/import_weights --from=vgg_16.ckpt --model=vgg16 --output=weights/vgg16_slim
  tools/import_weights --from=tumor.onnx --model=vgg16 --output=weights/trunk --trunk_only \\
      --rgb_mean=0,0,0 --pixel_scale=0.00392157
  tools/import_weights --from=vgg16_bn.pth --model=vgg16_bn --output=weights/vgg16_bn \\
      --rgb_mean=123.675,116.28,103.53 --rgb_std=58.395,57.12,57.375

Reads TensorFlow checkpoints (V1 and V2), Keras .h5, .weights.h5 and .keras, torch .pth (state dicts
only), .safetensors, .onnx and .npz; pickled files are refused. Every array is listed by name, and
one that is missing, left over or of another shape stops the import. The checkpoint is then run
beside the source framework, where that is installed. OUTPUT.json, the contract, says what to feed.
"""

import pathlib

from absl import flags

from vgg_slim.checkpoints import staging
from vgg_slim.commands import invocation
from vgg_slim.constants import IMAGENET_RGB_MEAN
from vgg_slim.data import labels
from vgg_slim.errors import ConfigError
from vgg_slim.nets import specs

_FROM = flags.DEFINE_string('from', None, 'File to import, or the prefix of a checkpoint.')
_MODEL = flags.DEFINE_string('model', None, f'One of {", ".join(specs.MODEL_NAMES)}.')
_OUTPUT = flags.DEFINE_string('output', None, 'Prefix of the checkpoint to write.')
_NUM_CLASSES = flags.DEFINE_integer('num_classes', None, "By default the file's.", lower_bound=1)
_IMAGE_SIZE = flags.DEFINE_integer(
  'image_size', None, 'Side of the images, in pixels. By default what the file was made for.'
)
_FC_UNITS = flags.DEFINE_integer('fc_units', None, "Of fc6 and fc7. By default the file's.")
_TRUNK_ONLY = flags.DEFINE_bool(
  'trunk_only', False, 'Import the layers below the head; what is left out is listed.'
)
_BGR = flags.DEFINE_bool(
  'bgr',
  False,
  "The source takes B, G, R, as Caffe's and Keras's ImageNet weights do: turn its first "
  'convolution around, so that the network takes R, G, B.',
)
_RGB_MEAN = flags.DEFINE_list(
  'rgb_mean', [str(mean) for mean in IMAGENET_RGB_MEAN], 'Subtracted from R, G, B, 0..255.'
)
_RGB_STD = flags.DEFINE_list(
  'rgb_std',
  None,
  'What the source divides R, G, B (0..255) by; the first convolution takes it over. '
  "58.395,57.12,57.375 for torchvision's weights.",
)
_PIXEL_SCALE = flags.DEFINE_float('pixel_scale', 1.0, 'Multiplies pixels after the mean is off.')
_BATCH_NORM_EPSILON = flags.DEFINE_float(
  'batch_norm_epsilon', None, 'Of the source. By default what the file, or its framework, says.'
)
_LABELS = flags.DEFINE_string('labels', None, 'Label file, for the contract.')


def main() -> None:
  """Checks the flags, imports and prints the report."""
  invocation.check_given(_FROM, _MODEL, _OUTPUT)
  specs.get(_MODEL.value)
  staging.check_checkpoint_is_free(_OUTPUT.value)
  rgb_mean, rgb_std = _numbers(_RGB_MEAN), _RGB_STD.value and _numbers(_RGB_STD)
  class_names = labels.read_labels(pathlib.Path(_LABELS.value)) if _LABELS.value else None

  invocation.load_tensorflow()
  from vgg_slim.weights import importer, transform

  request = importer.ImportRequest(
    source=_FROM.value,
    model=_MODEL.value,
    output=_OUTPUT.value,
    num_classes=_NUM_CLASSES.value,
    image_size=_IMAGE_SIZE.value,
    fc_units=_FC_UNITS.value,
    trunk_only=_TRUNK_ONLY.value,
    change=transform.InputChange(_BGR.value, rgb_std),
    batch_norm_epsilon=_BATCH_NORM_EPSILON.value,
    rgb_mean=rgb_mean,
    pixel_scale=_PIXEL_SCALE.value,
    class_names=class_names,
  )
  importer.run_import(request, say=print)
  print(f'Wrote {_OUTPUT.value}.index, .data-00000-of-00001 and .json.')


def run() -> None:
  """The console command."""
  invocation.run(main)


def _numbers(flag: flags.FlagHolder) -> tuple[float, ...]:
  try:
    values = tuple(float(value) for value in flag.value)
  except ValueError:
    values = ()
  if len(values) != 3:
    raise ConfigError(f'--{flag.name} must be three numbers, R,G,B, got {",".join(flag.value)!r}.')
  return values


if __name__ == '__main__':
  run()
