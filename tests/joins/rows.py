"""The matrix of joins: combinations of networks, views, checkpoints and exports to compare."""

import itertools
from typing import NamedTuple

from tests.joins import covering

FAMILIES = ('vgg_a', 'vgg_a_bn', 'vgg_cifar', 'resnet50', 'resnet_v1_50')
VIEWS = ('dense', 'center', 'ten_crop', 'multi_crop')
# With 32 channels in the first stage, the 3x3 convolutions of the last stages have 128 or 256, so
# that they use all fast paths of full networks at half or a quarter of their width.
CHANNELS = 32
AXES = {
  'family': FAMILIES,
  'head': ('own', 'linear', 'fc256', 'average_fc256', 'sigmoid'),
  'side': (32, 64, 96, 160, 224),
  'views': tuple(itertools.combinations(VIEWS, 2)),
  'flip': (False, True),
  'source': ('checkpoint', 'best', 'averaged', 'imported'),
  'export': ('saved_model_files', 'saved_model', 'frozen', 'onnx', 'tflite'),
  'images': ('reduced', 'enlarged'),
  'pixels': ('centered', 'standardized', 'squeezed'),
}
SEED = 0


class Row(NamedTuple):
  """A network, and the views, checkpoint, export and images with which it is tested."""

  family: str
  head: str
  side: int
  views: tuple[str, str]
  flip: bool
  source: str
  export: str
  images: str
  pixels: str = 'centered'
  is_full: bool = False

  @property
  def model(self) -> str:
    """Value of `--model`."""
    return self.family if self.is_full else f'{self.family}@{CHANNELS}'

  @property
  def name(self) -> str:
    """Name of the row, for the name of the test."""
    views = '+'.join(self.views)
    flip = 'flip' if self.flip else 'noflip'
    parts = (self.model, self.head, self.side, views, flip, self.source, self.export, self.pixels)
    return '-'.join(map(str, parts))


def is_possible(row: covering.Row) -> bool:
  """Whether the commands can create the network.

  Imported weights need the network's own head, and have no flags for other preprocessing.
  """
  return row['source'] != 'imported' or (row['head'] == 'own' and row['pixels'] == 'centered')


def list_rows(family_prefix: str) -> list[Row]:
  """Rows of the covering sample for families whose names start with `family_prefix`."""
  rows = [Row(**row) for row in covering.cover_pairs(AXES, is_possible, SEED)]
  return [row for row in rows if row.family.startswith(family_prefix)]


# The most common networks at full width, on few images; each takes a minute.
FULL_ROWS = {
  'vgg': Row(
    'vgg_d_bn',
    'own',
    224,
    ('dense', 'multi_crop'),
    False,
    'checkpoint',
    'saved_model_files',
    'reduced',
    is_full=True,
  ),
  'resnet': Row(
    'resnet50',
    'own',
    224,
    ('dense', 'multi_crop'),
    False,
    'best',
    'saved_model_files',
    'reduced',
    is_full=True,
  ),
}
