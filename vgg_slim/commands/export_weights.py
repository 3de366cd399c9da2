"""Exports a checkpoint's weights to Keras, torch, tf-slim or NumPy, bit for bit.

  tools/export_weights --checkpoint_path=weights/vgg16 --output=vgg16.weights.h5 --bgr
  tools/export_weights --checkpoint_path=runs/photos --output=photos.keras
  tools/export_weights --checkpoint_path=runs/photos --output=photos.pth
  tools/export_weights --checkpoint_path=runs/photos --output=photos.npz

.keras is a whole model for keras.models.load_model. .weights.h5 is for Model.load_weights of
keras.applications (VGG16, VGG19, ResNet50), and of any Keras model with the same convolution, batch
norm and dense layers in the same order; its batch norm layers need the epsilon of the network, see
tools/describe. .pth and .safetensors are state dicts for torchvision, with the head that the
command prints. .ckpt is a checkpoint with the variables of tf-slim alone. .npz uses slim's names
and shapes. The file is then run in its own framework, if that is installed, and compared. All take
images as this network does, with the mean subtracted and scaled; see the checkpoint's .json.
"""

from absl import flags

from vgg_slim.checkpoints import prefixes
from vgg_slim.commands import invocation, progress
from vgg_slim.weights import export_request
from vgg_slim.weights.export_request import ExportRequest

_CHECKPOINT = flags.DEFINE_string(
  'checkpoint_path', None, 'Prefix of a checkpoint, or a train_dir, whose newest one is used.'
)
_OUTPUT = flags.DEFINE_string(
  'output', None, 'File to write: .weights.h5, .keras, .pth, .safetensors, .ckpt or .npz.'
)
_MODEL = flags.DEFINE_string(
  'model', None, 'Network. Defaults to that in the contract or config.json of the checkpoint.'
)
_TRUNK_ONLY = flags.DEFINE_bool('trunk_only', False, 'Export only the layers below the head.')
_BGR = flags.DEFINE_bool(
  'bgr',
  False,
  'Reverse the input channels of the first convolution, for a network that takes B, G, R, as those '
  'of Keras do.',
)


def main() -> None:
  """Checks the flags, exports and prints the report."""
  checkpoint, output = invocation.required(_CHECKPOINT, _OUTPUT)
  request = ExportRequest(
    checkpoint=checkpoint,
    output=output,
    model=_MODEL.value,
    trunk_only=_TRUNK_ONLY.value,
    bgr=_BGR.value,
  )
  export_request.check_output(request.output)
  prefixes.check_exists(request.checkpoint)

  invocation.load_tensorflow(on_cpu=True)
  from vgg_slim.weights import exporter

  exporter.run_export(request, say=progress.say)
  print(f'Wrote {request.output}.')


def run() -> None:
  """Entry point of the console command."""
  invocation.run(main)


if __name__ == '__main__':
  run()
