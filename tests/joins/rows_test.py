from tests.joins import covering, rows
from vgg_slim.nets import specs


def test_the_sample_covers_every_possible_pair():
  sample = [row._asdict() for prefix in ('vgg', 'resnet') for row in rows.list_rows(prefix)]
  sample = [{axis: row[axis] for axis in rows.AXES} for row in sample]

  missing = covering.missing_pairs(rows.AXES, sample)

  other_heads = [head for head in rows.AXES['head'] if head != 'own']
  impossible = {(('head', head), ('source', 'imported')) for head in other_heads}
  others = ('standardized', 'squeezed')
  assert missing == impossible | {(('source', 'imported'), ('pixels', p)) for p in others}


def test_every_family_is_wide_enough_for_the_fast_paths():
  for family in rows.FAMILIES:
    layers = specs.get(f'{family}@{rows.CHANNELS}').trunk_layers()
    assert max(layer.channels for layer in layers if layer.kernel == 3) >= 256, family
