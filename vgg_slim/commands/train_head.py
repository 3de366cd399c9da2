"""Trains a new head on extracted features, in seconds, and joins it to its trunk.

  tools/train_head --features=features/photos --weights=imagenet --output=weights/photos
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
from collections.abc import Sequence
from typing import TYPE_CHECKING

from absl import flags

from vgg_slim.checkpoints import staging
from vgg_slim.commands import invocation, progress
from vgg_slim.commands.flags import checkpoint_flags, field_flags
from vgg_slim.errors import CheckpointError
from vgg_slim.features import cache
from vgg_slim.features.head_config import HeadConfig
from vgg_slim.wording import counted

if TYPE_CHECKING:  # imports TensorFlow, which is only loaded after the checks
  from vgg_slim.features import head

checkpoint_flags.define()
checkpoint_flags.define_weights()
_FEATURES = flags.DEFINE_string('features', None, 'Folder made by tools/extract_features.')
_OUTPUT = flags.DEFINE_string('output', None, 'Prefix of the checkpoint to write.')
field_flags.define(HeadConfig)


def main() -> None:
  """Trains the head on the features and writes the checkpoint of the whole network."""
  features, output = invocation.required(_FEATURES, _OUTPUT)
  config = field_flags.from_flags(HeadConfig)
  folder = pathlib.Path(features)
  key = cache.read_key(folder)
  staging.check_checkpoint_is_free(output)
  trunk, _ = checkpoint_flags.load_contract(needs_head=False)
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
  combine.write_combined_checkpoint(output, trunk, trained, combine.make_contract(key, config))
  print(f'Wrote {output}.index, .data-00000-of-00001 and .json.')


def _summary(history: Sequence['head.EpochScores'], seconds: float) -> str:
  """Returns a line with the accuracies of the last epoch and of the best one."""
  last = history[-1]
  text = (
    f'{counted(last.epoch, "epoch")} in {seconds:.1f} s: train accuracy {last.train_accuracy:.2%}'
  )
  epochs = {s.epoch: s.validation_accuracy for s in history if s.validation_accuracy is not None}
  if not epochs:
    return f'{text}; there is no validation split.'
  best = max(epochs, key=lambda epoch: epochs[epoch])
  return (
    f'{text}, validation accuracy {epochs[last.epoch]:.2%} '
    f'(best {epochs[best]:.2%} in epoch {best}).'
  )


def run() -> None:
  """Entry point of the console command."""
  invocation.run(main)


if __name__ == '__main__':
  run()
