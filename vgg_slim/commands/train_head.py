"""Trains a new head on extracted features, in seconds, and joins it to its trunk.

  tools/train_head --features=features/photos --checkpoint_path=weights/vgg16 \\
      --output=weights/photos
  tools/train_head --features=features/cats --checkpoint_path=weights/vgg16 --output=weights/cats \\
      --head=fc256 --classifier_activation=sigmoid --optimizer=rmsprop --epochs=50
  tools/predict --checkpoint_path=weights/photos cat.jpg

--features is a folder written by tools/extract_features, and the checkpoint is the one that the
features were extracted with. OUTPUT is a checkpoint of the whole network with its contract; it
predicts what the head predicts on the features, and the other tools take it like any checkpoint.
Heads whose names start with `average` average the feature map first (GAP), the others flatten it.
"""

import pathlib
import time

from absl import flags

from vgg_slim.checkpoints import staging
from vgg_slim.commands import invocation, progress
from vgg_slim.commands.flags import checkpoint_flags, field_flags
from vgg_slim.errors import CheckpointError
from vgg_slim.features import cache
from vgg_slim.features.head_config import HeadConfig

checkpoint_flags.define()
_FEATURES = flags.DEFINE_string('features', None, 'Folder made by tools/extract_features.')
_OUTPUT = flags.DEFINE_string('output', None, 'Prefix of the checkpoint to write.')
field_flags.define(HeadConfig)


def main() -> None:
  """Trains the head on the features and writes the checkpoint of the whole network."""
  invocation.check_given(_FEATURES, _OUTPUT)
  config = field_flags.from_flags(HeadConfig)
  folder = pathlib.Path(_FEATURES.value)
  key = cache.read_key(folder)
  staging.check_checkpoint_is_free(_OUTPUT.value)
  trunk, _ = checkpoint_flags.load_contract()
  train = cache.read_features(cache.features_path(folder, 'train'))
  held_out = cache.features_path(folder, 'validation')
  validation = cache.read_features(held_out) if held_out.exists() else None

  invocation.load_tensorflow()
  from vgg_slim.features import combine, head
  from vgg_slim.weights import formats

  if formats.sha256(trunk) != key.weights_sha256:
    raise CheckpointError(
      f'The features in {folder} were extracted with other weights than those of {trunk}.'
    )
  started = time.monotonic()
  with progress.show('Training', 'epochs') as report:
    trained = head.run_head_training(
      config, key, train, validation, lambda scores: report(scores.epoch, config.epochs)
    )
  print(_summary(trained.history, time.monotonic() - started))
  combine.write_combined_checkpoint(
    _OUTPUT.value, trunk, trained, combine.make_contract(key, config)
  )
  print(f'Wrote {_OUTPUT.value}.index, .data-00000-of-00001 and .json.')


def _summary(history: list[tuple], seconds: float) -> str:
  """Returns a line with the accuracies of the last epoch and of the best one."""
  last = history[-1]
  text = f'{last.epoch} epochs in {seconds:.1f} s: train accuracy {last.train_accuracy:.2%}'
  if last.validation_accuracy is None:
    return f'{text}; there is no validation split.'
  best = max(history, key=lambda scores: scores.validation_accuracy)
  return (
    f'{text}, validation accuracy {last.validation_accuracy:.2%} '
    f'(best {best.validation_accuracy:.2%} in epoch {best.epoch}).'
  )


def run() -> None:
  """Entry point of the console command."""
  invocation.run(main)


if __name__ == '__main__':
  run()
