"""Exports a checkpoint for serving, and proves the export on real images.

  tools/export_model --checkpoint_path=runs/photos --format=saved_model --output=exports/photos/1
  tools/export_model --checkpoint_path=weights/vgg16 --format=onnx --output=exports/vgg16_onnx
  tools/export_model --checkpoint_path=runs/photos --format=tflite --output=exports/phone
  tools/export_model --checkpoint_path=runs/photos --format=tflite_int8 --output=exports/phone8 \\
      --representative_dir=data/photos

OUTPUT is a folder: a SavedModel, frozen_graph.pb, model.onnx or model.tflite, with contract.json
and labels.txt. The input `images` takes RGB pixels of 0..255: images of any size from the network's
on, or, in TFLite, one image of the network's size. A SavedModel also takes `encoded_images`, files
that it decodes and resizes itself. Outputs are `class_score_map`, `logits`, `probabilities` and
`classes`; `features` for a trunk; TFLite gives `probabilities` first and no `classes`.

tflite_dynamic has weights of 8 bits, tflite_int8 integers throughout.

Every export is loaded in a fresh process and compared with the checkpoint; one that computes
something else is not kept.
"""

import pathlib

from absl import flags

from vgg_slim.checkpoints import staging
from vgg_slim.commands import invocation

_FORMATS = ('saved_model', 'frozen', 'onnx', 'tflite', 'tflite_dynamic', 'tflite_int8')
_INPUT_SHAPES = ('fixed', 'free')

_CHECKPOINT = flags.DEFINE_string(
  'checkpoint_path', None, 'Prefix of a checkpoint, or a train_dir for its newest one.'
)
_FORMAT = flags.DEFINE_enum(
  'format', 'saved_model', _FORMATS, 'onnx needs the packages of the extra onnx.'
)
_OUTPUT = flags.DEFINE_string('output', None, 'Folder to make.')
_VERIFY_DIR = flags.DEFINE_string(
  'verify_dir',
  None,
  'Folder of images to compare the export on. By default two photographs and two digits that come '
  'with scikit-learn.',
)
_INPUT_SHAPE = flags.DEFINE_enum(
  'input_shape',
  None,
  _INPUT_SHAPES,
  "For tflite and tflite_dynamic: one image of the network's size (the default), or any number of "
  'images of any size from there on.',
)
_REPRESENTATIVE_DIR = flags.DEFINE_string(
  'representative_dir',
  None,
  'For tflite_int8: folder of images, or converted data set, to calibrate the integers on.',
)


def main() -> None:
  """Checks the flags, exports and prints the comparison."""
  invocation.check_given(_CHECKPOINT, _OUTPUT)
  staging.check_is_free(pathlib.Path(_OUTPUT.value))
  invocation.load_tensorflow()
  from vgg_slim.export import exporter

  request = exporter.ExportRequest(
    checkpoint=_CHECKPOINT.value,
    format=_FORMAT.value,
    output=_OUTPUT.value,
    verify_dir=_VERIFY_DIR.value,
    input_shape=_INPUT_SHAPE.value,
    representative_dir=_REPRESENTATIVE_DIR.value,
  )
  exporter.run_export(request, say=print)
  print(f'Wrote {_OUTPUT.value}.')


def run() -> None:
  """The console command."""
  invocation.run(main)


if __name__ == '__main__':
  run()
