import matplotlib.patches
import pytest

from vgg_slim.nets import specs, summary
from vgg_slim.plotting import network


def draw(model):
  slabs = summary.slabs(summary.summarize(specs.get(model)), 224)
  return slabs, network.draw_network(slabs, 'a title')


@pytest.mark.parametrize('model', ['vgg16', 'vgg_cifar', 'resnet50', 'resnet_v1_152'])
def test_every_slab_has_three_faces_and_two_bars(model):
  slabs, figure = draw(model)
  maps, parameters, work = figure.axes
  faces = [p for p in maps.patches if isinstance(p, matplotlib.patches.Polygon)]
  assert len(faces) == 3 * len(slabs)
  assert [bar.get_height() for bar in parameters.patches] == [s.parameters / 1e6 for s in slabs]
  assert [bar.get_height() for bar in work.patches] == [s.multiply_adds / 1e9 for s in slabs]
  assert [text.get_text() for text in work.get_xticklabels()] == [s.label for s in slabs]


def test_every_residual_unit_has_an_arc():
  slabs, figure = draw('resnet50')
  arcs = [p for p in figure.axes[0].patches if isinstance(p, matplotlib.patches.FancyArrowPatch)]
  assert len(arcs) == sum(slab.kind == 'unit' for slab in slabs) == 3 + 4 + 6 + 3


def test_sides_and_channels_are_labeled_where_they_change():
  texts = [text.get_text() for text in draw('vgg16')[1].axes[0].texts]
  sides = [text for text in texts if '\u00d7' in text]
  assert sides == [f'{side}\u00d7{side}' for side in (224, 112, 56, 28, 14, 7, 1)]
  channels = [text for text in texts if '\u00d7' not in text]
  assert channels[:5] == ['3', '64', '64', '128', '128']
  assert channels[-3:] == ['512', '4096', '1000']


def test_the_figure_can_be_written(tmp_path):
  draw('vgg_a')[1].savefig(tmp_path / 'a.png')
  assert (tmp_path / 'a.png').read_bytes().startswith(b'\x89PNG')
