"""Imports weights from other frameworks into a TensorFlow checkpoint with slim's variable names.

  tools/import_weights --from=vgg16.h5 --model=vgg16 --output=weights/vgg16
  tools/import_weights --from=vgg_16.ckpt --model=vgg16 --output=weights/vgg16_slim
  tools/import_weights --from=tumor.onnx --model=vgg16 --output=weights/trunk --trunk_only \\
      --rgb_mean=0,0,0 --pixel_scale=0.00392157
  tools/import_weights --from=mine.pth --model=vgg16_bn --output=weights/mine \\
      --rgb_mean=123.675,116.28,103.53 --rgb_std=58.395,57.12,57.375
  tools/import_weights --from=photos.npz --model=vgg16 --output=weights/back \\
      --contract=runs/photos

Reads TensorFlow checkpoints (V1 and V2), Keras .h5, .weights.h5 and .keras, torch .pth (state dicts
only), .safetensors, .onnx, .npz and .npy with a dict of layers; other pickled files are refused.
The head and the number of classes are recognized from the shapes in the file. An array that is
missing, left over or of the wrong shape stops the import; --report lists all of them. The outputs
of the checkpoint are then compared with those of the source framework, if that is installed.
OUTPUT.json, the contract, describes the input of the network.
"""

import os
import pathlib
from collections.abc import Sequence

from absl import flags

from vgg_slim.checkpoints import contract as contracts
from vgg_slim.checkpoints import prefixes, staging
from vgg_slim.commands import invocation, progress
from vgg_slim.commands.flags import unused_flags
from vgg_slim.constants import IMAGENET_RGB_MEAN
from vgg_slim.data import labels
from vgg_slim.errors import CheckpointError, ConfigError, DataError
from vgg_slim.nets import head_specs, specs
from vgg_slim.output_files import check_outputs
from vgg_slim.weights.transform import InputChange

_FROM = flags.DEFINE_string('from', None, 'File to import, or the prefix of a checkpoint.')
_MODEL = flags.DEFINE_string('model', None, f'Network: {", ".join(specs.MODEL_NAMES)}.')
_OUTPUT = flags.DEFINE_string('output', None, 'Prefix of the checkpoint to write.')
_NUM_CLASSES = flags.DEFINE_integer(
  'num_classes', None, 'Number of classes. Defaults to that of the file.', lower_bound=1
)
_HEAD = flags.DEFINE_string(
  'head',
  None,
  f'Head of the network: {", ".join(head_specs.HEADS)}, or units as in fc128, fc512_256 and '
  'average_fc128. Defaults to the one that the shapes in the file imply.',
)
_IMAGE_SIZE = flags.DEFINE_integer(
  'image_size',
  None,
  'Side of the images, in pixels. Defaults to the one that the shapes in the file imply.',
  lower_bound=1,
)
_FC_UNITS = flags.DEFINE_integer(
  'fc_units', None, 'Number of units of fc6 and fc7. Defaults to that of the file.', lower_bound=1
)
_TRUNK_ONLY = flags.DEFINE_bool(
  'trunk_only',
  False,
  'Import only the layers below the head, also from a larger network that contains them, and list '
  'what is left out.',
)
_EXCLUDE = flags.DEFINE_list(
  'exclude',
  [],
  "Patterns for names of arrays to leave out, comma-separated, such as 'dsn*,*/gamma'.",
)
_REPORT = flags.DEFINE_string(
  'report',
  None,
  'Text file to write the names of all variables and arrays to, also if the file does not fit.',
)
_BGR = flags.DEFINE_bool(
  'bgr',
  False,
  'The source takes B, G, R, as ImageNet weights of Caffe and Keras do: reverse the input channels '
  'of its first convolution, so that the network takes R, G, B. Published files are recognized, '
  'unless one of --bgr, --rgb_mean, --rgb_std and --pixel_scale is given.',
)
_RGB_MEAN = flags.DEFINE_list(
  'rgb_mean',
  [str(mean) for mean in IMAGENET_RGB_MEAN],
  'Mean that is subtracted from R, G, B pixels of 0..255, comma-separated.',
)
_RGB_STD = flags.DEFINE_list(
  'rgb_std',
  None,
  'Standard deviation by which the source divides R, G, B pixels of 0..255, comma-separated; it is '
  'folded into the first convolution. 58.395,57.12,57.375 for weights of torchvision.',
)
_PIXEL_SCALE = flags.DEFINE_float(
  'pixel_scale', 1.0, 'Factor that pixels are multiplied by after the mean is subtracted.'
)
_BATCH_NORM_EPSILON = flags.DEFINE_float(
  'batch_norm_epsilon',
  None,
  'Epsilon of batch norm in the source. Defaults to that in the file, or to that of its framework.',
  lower_bound=0.0,
)
_LABELS = flags.DEFINE_string('labels', None, 'Label file whose class names go into the contract.')
_CONTRACT = flags.DEFINE_string(
  'contract',
  None,
  'Checkpoint, train_dir or contract (.json) of this project with the input, sizes and classes of '
  'the file, such as those that it was exported from.',
)


def main() -> None:
  """Checks the flags, imports and prints the report."""
  source, model, output = invocation.required(_FROM, _MODEL, _OUTPUT)
  specs.get(model)
  if _HEAD.value:
    head_specs.get(_HEAD.value)
  if _TRUNK_ONLY.value:
    unused_flags.check_trunk('--trunk_only', 'num_classes', 'head', 'fc_units')
  unused_flags.check(model, _HEAD.value)
  if _REPORT.value:
    check_outputs({'--report': _REPORT.value})
  staging.check_checkpoint_is_free(output)
  contract = _read_contract(_CONTRACT.value) if _CONTRACT.value else None
  rgb_mean = _numbers(_RGB_MEAN.name, _RGB_MEAN.value)
  rgb_std = _numbers(_RGB_STD.name, _RGB_STD.value) if _RGB_STD.value else None
  change = InputChange(_BGR.value, rgb_std)
  class_names = _read_labels(_LABELS.value) if _LABELS.value else None
  if not (os.path.exists(source) or prefixes.find_prefix(source)):
    raise CheckpointError(f'--from={source}: there is neither such a file nor such a checkpoint.')

  invocation.load_tensorflow(on_cpu=True)
  from vgg_slim.weights import importer

  request = importer.ImportRequest(
    source=source,
    model=model,
    output=output,
    num_classes=_NUM_CLASSES.value,
    head=_HEAD.value,
    image_size=_IMAGE_SIZE.value,
    fc_units=_FC_UNITS.value,
    trunk_only=_TRUNK_ONLY.value,
    exclude=tuple(_EXCLUDE.value),
    change=change,
    batch_norm_epsilon=_BATCH_NORM_EPSILON.value,
    rgb_mean=rgb_mean,
    pixel_scale=_PIXEL_SCALE.value,
    class_names=class_names,
    input_is_unknown=not any(flag.present for flag in (_BGR, _RGB_MEAN, _RGB_STD, _PIXEL_SCALE)),
    report=_REPORT.value,
  )
  if contract:
    try:
      request = request.like(contract)
    except ConfigError as error:
      raise ConfigError(f'--contract={_CONTRACT.value}: {error}') from error
  importer.run_import(request, say=progress.say)
  print(f'Wrote {output}.index, .data-00000-of-00001 and .json.')


def run() -> None:
  """Entry point of the console command."""
  invocation.run(main)


def _read_contract(path: str) -> contracts.Contract:
  """Reads --contract, beside which no flag may say what it says."""
  said = (_RGB_MEAN, _RGB_STD, _PIXEL_SCALE, _NUM_CLASSES, _HEAD, _IMAGE_SIZE, _FC_UNITS, _LABELS)
  if given := [f'--{flag.name}' for flag in said if flag.present]:
    raise ConfigError(
      f'--contract={path} has the input, sizes and classes: leave out {", ".join(given)}.'
    )
  if path.endswith('.json'):
    return contracts.read_contract(pathlib.Path(path))
  return contracts.load_contract(path)[1]


def _read_labels(path: str) -> tuple[str, ...]:
  """Returns class names that exports, which write a label file, can hold too."""
  class_names = labels.read_labels(pathlib.Path(path))
  try:
    labels.check_class_names(class_names)
  except DataError as error:
    raise DataError(f'{path}: {error}') from error
  return class_names


def _numbers(name: str, texts: Sequence[str]) -> tuple[float, float, float]:
  try:
    red, green, blue = map(float, texts)
  except ValueError as error:
    raise ConfigError(
      f'--{name} must be three comma-separated numbers R,G,B, got {",".join(texts)!r}.'
    ) from error
  return red, green, blue


if __name__ == '__main__':
  run()
