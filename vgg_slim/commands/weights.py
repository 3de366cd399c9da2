"""Lists the published weights that --weights takes: what they are, where they are, their licenses.

  tools/weights
  tools/weights --model=vgg16
  tools/train --data_dir=data/photos --model=vgg16 --weights=imagenet

tools/train, train_head, extract_features and predict download a file when they first need it,
verify its checksum, and import it into --weights_dir. Copies in the caches of Keras
(~/.keras/models) and torch (~/.cache/torch/hub/checkpoints) are used, too. On a machine without
network, put the file from the listed address into --weights_dir, or give its path as --weights.

Of tf-slim's files no checksum is published; their archives hold one of their own content.
"""

from absl import flags

from vgg_slim import terminal
from vgg_slim.commands import invocation
from vgg_slim.commands.flags import checkpoint_flags
from vgg_slim.errors import ConfigError
from vgg_slim.nets import specs
from vgg_slim.weights import download, published
from vgg_slim.weights.published import PublishedFile

_MODEL = flags.DEFINE_string(
  'model', None, 'Network to list the weights of. Defaults to all that have some.'
)
checkpoint_flags.define_weights_dir()


def main() -> None:
  """Prints a paragraph for each file."""
  files = [file for file in published.FILES if _is_wanted(file)]
  if not files:
    models = ', '.join(sorted({file.model for file in published.FILES}))
    raise ConfigError(
      f'No weights are published for --model={_MODEL.value}; there are some for {models}.'
    )
  for file in files:
    print(_describe(file))
  print(f'Downloads and checkpoints: {checkpoint_flags.weights_dir()}')


def _is_wanted(file: PublishedFile) -> bool:
  return _MODEL.value is None or file.model == specs.ALIASES.get(_MODEL.value, _MODEL.value)


def _describe(file: PublishedFile) -> str:
  size = f'{file.megabytes:.0f} MB' if file.megabytes else 'size not published'
  classes = '1,000 classes' if file.has_head else 'trunk only'
  aliases = [alias for alias, row in specs.ALIASES.items() if row == file.model]
  here = download.find_copy(file, checkpoint_flags.weights_dir())
  return '\n'.join(
    [
      f'{file.name}: --model={aliases[0] if aliases else file.model}, {classes}, {size}',
      f'  from      {file.url}',
      f'  checksum  {file.checksum or "none is published"}',
      terminal.fold(f'  license   {file.license}', indent=' ' * 12),
      f'  here      {here or "no"}',
    ]
  )


def run() -> None:
  """Entry point of the console command."""
  invocation.run(main)


if __name__ == '__main__':
  run()
