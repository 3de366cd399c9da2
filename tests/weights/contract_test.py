import dataclasses
import json

import pytest

from vgg_slim.constants import IMAGENET_RGB_MEAN
from vgg_slim.errors import CheckpointError, ConfigError
from vgg_slim.weights import contract
from vgg_slim.weights.contract import Contract, Source

SOURCE = Source('vgg16.keras', 'Keras .keras', '0' * 64)
TWO_CLASSES = Contract('vgg16', 2, 64, 8, SOURCE, class_names=('cat', 'dog'))


def test_round_trip(tmp_path):
  path = contract.contract_path(str(tmp_path / 'vgg16'))
  contract.write_contract(path, TWO_CLASSES)
  assert path.name == 'vgg16.json'
  assert contract.read_contract(path) == TWO_CLASSES


def test_defaults_are_the_paper_s():
  values = json.loads(contract.to_json(Contract('vgg16', None, 224, None, SOURCE)))
  assert values['format_version'] == 1
  assert tuple(values['rgb_mean']) == IMAGENET_RGB_MEAN
  assert values['pixel_scale'] == 1.0
  assert values['channel_order'] == 'RGB'
  assert values['class_names'] is None
  assert values['num_classes'] is None


def test_all_wrong_values_are_named_at_once():
  with pytest.raises(
    ConfigError,
    match=r'rgb_mean must.*pixel_scale must.*channel_order.*1 class names for num_classes=2',
  ):
    dataclasses.replace(
      TWO_CLASSES, rgb_mean=(1, 2), pixel_scale=0, channel_order='BGR', class_names=('cat',)
    )


@pytest.mark.parametrize(
  ('change', 'message'),
  [
    (lambda v: v.update(format_version=2), 'expected format_version 1, got 2'),
    (lambda v: v.pop('model'), r"missing \['model'\]"),
    (lambda v: v.update(mode='x'), r"unknown \['mode'\]"),
    (lambda v: v['source'].pop('sha256'), r"source: missing \['sha256'\]"),
    (lambda v: v.update(pixel_scale=-1), 'pixel_scale must be positive'),
    (lambda v: v.update(rgb_mean=None), 'x.json'),
  ],
)
def test_a_damaged_contract_names_the_field(tmp_path, change, message):
  values = json.loads(contract.to_json(TWO_CLASSES))
  change(values)
  path = tmp_path / 'x.json'
  path.write_text(json.dumps(values))
  with pytest.raises(CheckpointError, match=message):
    contract.read_contract(path)


@pytest.mark.parametrize('text', ['', '[]', '{"a"'])
def test_what_is_no_contract_is_named(tmp_path, text):
  path = tmp_path / 'x.json'
  path.write_text(text)
  with pytest.raises(CheckpointError, match='x.json'):
    contract.read_contract(path)


def test_a_missing_contract_is_named(tmp_path):
  with pytest.raises(CheckpointError, match='x.json cannot be read'):
    contract.read_contract(tmp_path / 'x.json')


def test_a_checkpoint_without_contract_has_none(tmp_path):
  assert contract.find_contract(str(tmp_path / 'model.ckpt-7')) is None


def test_a_contract_is_found_beside_its_checkpoint(tmp_path):
  contract.write_contract(tmp_path / 'vgg16.json', TWO_CLASSES)
  assert contract.find_contract(str(tmp_path / 'vgg16')) == TWO_CLASSES


def test_other_pixels_are_refused_with_both_values():
  mean = IMAGENET_RGB_MEAN
  assert contract.check_preprocessing(TWO_CLASSES, mean, 1.0, 'w/vgg16') is None
  with pytest.raises(CheckpointError) as error:
    contract.check_preprocessing(TWO_CLASSES, (1.0, 2.0, 3.0), 0.5, 'w/vgg16')
  assert str(error.value) == (
    f'w/vgg16 was made for other pixels: rgb_mean {mean}, here (1.0, 2.0, 3.0); '
    'pixel_scale 1.0, here 0.5.'
  )
