import pytest

from tests.testing import thin
from vgg_slim.compat import tf
from vgg_slim.errors import ConfigError
from vgg_slim.nets import specs, summary
from vgg_slim.nets.mode import Inference
from vgg_slim.nets.registry import build


def by_name(model, **kwargs):
  return {row.name: row for row in summary.summarize(specs.get(model), **kwargs)}


# The thin versions of these have the same two units per block as that of resnet_v1_50.
DEEPER = {'resnet_v1_101', 'resnet_v1_152'}


class TestAgainstTheGraph:
  @pytest.mark.parametrize('model', sorted(set(specs.NETWORKS) - DEEPER))
  def test_shapes_and_parameters_of_every_layer(self, model):
    side = 107  # gives odd and even maps, and pools with and without a remainder
    spec = thin(specs.get(model))
    rows = {row.name: row for row in summary.summarize(spec, 5, side, 8)}
    with tf.Graph().as_default():
      outputs = build(spec, tf.zeros([2, side, side, 3]), 5, Inference(), side, 8)
      variables = {v.op.name: v.shape.num_elements() for v in tf.global_variables()}
    logits = {'logits'} if spec.average else set()
    for name in set(rows) & set(outputs.end_points) - logits:
      assert outputs.end_points[name].shape.as_list() == [2, *rows[name].output_shape], name
    # Dropout, which is only built for training, and subsampled shortcuts are not end points.
    missing = {rows[name].kind for name in set(rows) - set(outputs.end_points)}
    assert missing <= {'dropout', 'subsample'}
    totals = summary.total(list(rows.values()))
    assert totals.parameters == sum(variables.values())
    for name, row in rows.items():
      if row.kind in ('conv', 'fc'):
        own = [n for v, n in variables.items() if v.startswith(f'{spec.scope}/{name}/')]
        assert row.parameters + row.moving == sum(own), name


class TestMultiplyAdds:
  # Billions for VGGs and ResNets, as rounded by torchvision and in the literature.
  @pytest.mark.parametrize(
    ('model', 'billions'),
    [
      ('vgg11', 7.61),
      ('vgg13', 11.31),
      ('vgg16', 15.47),
      ('vgg19', 19.63),
      ('resnet50_keras', 3.86),
      ('vgg_cifar', 0.31),
    ],
  )
  def test_known_totals(self, model, billions):
    totals = summary.total(summary.summarize(specs.get(model)))
    assert totals.multiply_adds / 1e9 == pytest.approx(billions, abs=0.005)

  def test_resnet50_has_4_1_billion_if_the_3x3_has_the_stride(self):
    # torchvision's variant, "v1.5", has 4.09; with the stride on the 1x1, He et al. count 3.8.
    spec = specs.get('resnet50_torchvision')
    totals = summary.total(summary.summarize(spec))
    assert totals.multiply_adds / 1e9 == pytest.approx(4.09, abs=0.005)

  def test_first_layer_by_hand(self):
    row = by_name('vgg16')['conv1/conv1_1']
    assert row.multiply_adds == 224 * 224 * 64 * 3 * 3 * 3
    assert row.parameters == 64 * (3 * 3 * 3 + 1)


class TestReceptiveField:
  def test_vgg16(self):
    rows = by_name('vgg16')
    fields = [(rows[f'pool{s}'].receptive_field, rows[f'pool{s}'].stride) for s in range(1, 6)]
    assert fields == [(6, 2), (16, 4), (44, 8), (100, 16), (212, 32)]
    assert rows['fc6'].receptive_field == 212 + 6 * 32

  # Araujo et al., "Computing Receptive Fields of Convolutional Neural Networks" (2019), Table 1.
  @pytest.mark.parametrize(('depth', 'field'), [(50, 483), (101, 1027), (152, 1507)])
  def test_resnet(self, depth, field):
    row = by_name(f'resnet_v1_{depth}')['block4/unit_3/bottleneck_v1']
    assert (row.receptive_field, row.stride) == (field, 32)


def test_too_small_an_image_is_refused():
  with pytest.raises(ConfigError, match='image_size=20 is too small for vgg_d'):
    summary.summarize(specs.get('vgg16'), image_size=20)


def test_slabs_combine_units_and_omit_dropout():
  labels = [slab.label for slab in summary.slabs(summary.summarize(specs.get('vgg_cifar')), 32)]
  assert labels[:4] == ['images', 'conv1_1', 'conv1_2', 'pool1']
  assert labels[-4:] == ['pool5', 'fc6', 'fc7', 'fc8']
  rows = summary.summarize(specs.get('resnet_v1_50'))
  slabs = summary.slabs(rows, 224)
  assert [slab.label for slab in slabs[:4]] == ['images', 'conv1', 'pool1', 'block1/unit_1']
  assert sum(slab.parameters for slab in slabs) == summary.total(rows).trainable
  assert sum(slab.multiply_adds for slab in slabs) == summary.total(rows).multiply_adds


@pytest.mark.parametrize(
  ('number', 'text'), [(0, '0 B'), (1023, '1023 B'), (1536, '1.5 KiB'), (3 * 2**30, '3.0 GiB')]
)
def test_format_bytes(number, text):
  assert summary.format_bytes(number) == text
