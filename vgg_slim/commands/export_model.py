"""Exports a checkpoint for serving, and verifies the export on real images.

  tools/export_model --checkpoint_path=runs/photos --format=saved_model --output=exports/photos/1
  tools/export_model --checkpoint_path=weights/vgg16 --format=onnx --output=exports/vgg16_onnx
  tools/export_model --checkpoint_path=runs/photos --format=tflite --output=exports/phone
  tools/export_model --checkpoint_path=runs/photos --format=tflite_int8 --output=exports/phone8 \\
      --representative_dir=data/photos

OUTPUT is a folder that holds a SavedModel, frozen_graph.pb, model.onnx or model.tflite, together
with contract.json and labels.txt. The input `images` takes RGB pixels of 0..255: images of any size
that is not below the network's, or, in TFLite, one image of the network's size. A SavedModel also
takes `encoded_images`, image files that it decodes and resizes itself. The outputs are
`class_score_map`, `logits`, `probabilities` and `classes`, or `features` for a trunk; TFLite
returns `probabilities` first and has no `classes`.

tflite_dynamic stores weights in 8 bits; tflite_int8 computes with integers throughout.

Every export is loaded in a new process and compared with the checkpoint; an export that computes
something else is removed.
"""

import os
import pathlib

from absl import flags

from vgg_slim.checkpoints import contract, staging
from vgg_slim.commands import invocation, progress
from vgg_slim.errors import DataError
from vgg_slim.export.request import FORMATS, INPUT_SHAPES, ExportRequest

_CHECKPOINT = flags.DEFINE_string(
  'checkpoint_path', None, 'Prefix of a checkpoint, or a train_dir, whose newest one is used.'
)
_FORMAT = flags.DEFINE_enum(
  'format',
  'saved_model',
  list(FORMATS),
  'Format of the export; onnx needs the packages of the optional extra onnx.',
)
_OUTPUT = flags.DEFINE_string('output', None, 'Folder to create.')
_VERIFY_DIR = flags.DEFINE_string(
  'verify_dir',
  None,
  'Folder of images on which the export is compared with the checkpoint. Defaults to two '
  'photographs and two digits that come with scikit-learn.',
)
_INPUT_SHAPE = flags.DEFINE_enum(
  'input_shape',
  None,
  INPUT_SHAPES,
  "Input shape of tflite and tflite_dynamic: fixed for one image of the network's size (the "
  'default), or free for any number of images of that size or larger.',
)
_REPRESENTATIVE_DIR = flags.DEFINE_string(
  'representative_dir',
  None,
  'Folder of images, or converted data set, that calibrates the integers of tflite_int8.',
)


def main() -> None:
  """Checks the flags, exports and prints the comparison."""
  checkpoint, output = invocation.required(_CHECKPOINT, _OUTPUT)
  request = ExportRequest(
    checkpoint=checkpoint,
    format=_FORMAT.value,
    output=output,
    verify_dir=_VERIFY_DIR.value,
    input_shape=_INPUT_SHAPE.value,
    representative_dir=_REPRESENTATIVE_DIR.value,
  )
  staging.check_is_free(pathlib.Path(request.output))
  contract.load_contract(request.checkpoint)
  for folder in (_VERIFY_DIR, _REPRESENTATIVE_DIR):
    if folder.value and not os.path.exists(folder.value):
      raise DataError(f'--{folder.name}={folder.value}: there is no such folder.')

  invocation.load_tensorflow(on_cpu=True)
  from vgg_slim.export import exporter

  reporter = progress.reporter()
  exporter.run_export(request, reporter.line, reporter)
  print(f'Wrote {request.output}.')


def run() -> None:
  """Entry point of the console command."""
  invocation.run(main)


if __name__ == '__main__':
  run()
