"""Exports a checkpoint for serving, and proves the export on real pictures.

  tools/export_model --checkpoint_path=runs/photos --format=saved_model --output=exports/photos/1
  tools/export_model --checkpoint_path=weights/vgg16 --format=onnx --output=exports/vgg16_onnx
  tools/export_model --checkpoint_path=runs/photos --format=tflite_int8 --output=exports/phone \\
      --verify_dir=pictures

OUTPUT is a folder: a SavedModel, frozen_graph.pb, model.onnx or model.tflite, with contract.json
and labels.txt. The input `images` takes RGB pixels of 0..255, of any size from the network's on; a
SavedModel also takes `encoded_images`, JPEG or PNG files, which it resizes itself. Outputs are
`class_score_map`, `logits`, `probabilities` and `classes`; `features` for a trunk.

Every export is loaded in a fresh process and compared with the checkpoint; one that computes
something else is not kept.
"""

import pathlib

from absl import flags

from tools import invocation
from vgg_slim.weights import staging

_FORMATS = ('saved_model', 'frozen', 'onnx', 'tflite', 'tflite_int8')

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
  'Folder of pictures to compare the export on. By default two photographs and two digits that '
  'come with scikit-learn.',
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
  )
  exporter.run_export(request, say=print)
  print(f'Wrote {_OUTPUT.value}.')


def run() -> None:
  """The console command."""
  invocation.run(main)


if __name__ == '__main__':
  run()
