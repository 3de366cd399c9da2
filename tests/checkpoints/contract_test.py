import dataclasses
import json

import pytest

from tests.configs import config_test
from tests.testing import make_contract, replace
from vgg_slim.checkpoints import contract
from vgg_slim.checkpoints.contract import Source
from vgg_slim.configs import config
from vgg_slim.constants import IMAGENET_RGB_MEAN
from vgg_slim.data import imagenet_classes
from vgg_slim.errors import CheckpointError, ConfigError

SOURCE = Source('vgg16.keras', 'Keras .keras', '0' * 64)
TWO_CLASSES = make_contract('vgg16', 2, 64, 8, SOURCE, class_names=('cat', 'dog'))


def test_round_trip(tmp_path):
  path = contract.contract_path(str(tmp_path / 'vgg16'))
  contract.write_contract(path, TWO_CLASSES)
  assert path.name == 'vgg16.json'
  assert contract.read_contract(path) == TWO_CLASSES


def test_defaults_are_those_of_the_paper():
  values = json.loads(contract.to_json(make_contract('vgg16', None, 224, None, SOURCE)))
  assert values['format_version'] == 1
  assert tuple(values['rgb_mean']) == IMAGENET_RGB_MEAN
  assert values['pixel_scale'] == 1.0
  assert values['channel_order'] == 'RGB'
  assert values['class_names'] is None
  assert values['num_classes'] is None


def test_all_invalid_values_are_named_at_once():
  values = json.loads(contract.to_json(TWO_CLASSES))
  wrong = {
    'fc_units': 0,
    'rgb_mean': (1, 2),
    'pixel_scale': 0,
    'channel_order': 'BGR',
    'class_names': ('cat',),
    'random_flip': 1,
  }
  with pytest.raises(ConfigError) as error:
    contract.from_values({**values, **wrong})
  for message in (
    'fc_units must be at least 1, got 0; ',
    'rgb_mean must be three numbers',
    'pixel_scale must be positive',
    "channel_order must be 'RGB', got 'BGR'",
    'class_names has 1 name for num_classes=2',
    'random_flip must be true or false, got 1',
  ):
    assert message in str(error.value)
  with pytest.raises(ConfigError, match=r'channel_order.*class_names has 1 name for num_classes=2'):
    replace(TWO_CLASSES, channel_order='BGR', class_names=('cat',))


def test_the_file_is_flat_and_a_trunk_has_no_units():
  values = json.loads(contract.to_json(TWO_CLASSES))
  assert values.keys() == {
    *('format_version', 'vgg_slim_version', 'source', 'class_names', 'channel_order'),
    *('model', 'head', 'num_classes', 'image_size', 'fc_units', 'classifier_activation'),
    *('rgb_mean', 'pixel_scale', 'test_scale', 'resize_filter', 'stored_side'),
    *('keep_aspect_ratio', 'per_image_standardization', 'pixel_range'),
    *('background', 'orientation'),
  }
  assert values['fc_units'] == 8
  assert json.loads(contract.to_json(make_contract('vgg16', None, 64)))['fc_units'] is None


def test_a_sigmoid_scores_two_classes_with_one_logit():
  sigmoid = replace(TWO_CLASSES, classifier_activation='sigmoid')
  assert (TWO_CLASSES.network.num_logits, sigmoid.network.num_logits) == (2, 1)
  with pytest.raises(ConfigError, match="num_classes must be 2 for .*'sigmoid', got 3"):
    make_contract('vgg16', 3, 64, 8, classifier_activation='sigmoid')


def test_default_test_scale_is_256_for_224_pixels():
  assert make_contract('vgg16', None, 224).preprocessing.test_scale == 256
  assert replace(TWO_CLASSES, test_scale=70).preprocessing.test_scale == 70


def test_a_file_without_the_newer_optional_fields_is_read(tmp_path):
  values = json.loads(contract.to_json(TWO_CLASSES))
  for name in ('head', 'classifier_activation', 'test_scale'):
    del values[name]
  (tmp_path / 'x.json').write_text(json.dumps(values))
  assert contract.read_contract(tmp_path / 'x.json') == TWO_CLASSES


def test_a_file_of_version_0_1_gets_its_resize_filter_and_evaluated_scale(tmp_path):
  values = json.loads(contract.to_json(replace(TWO_CLASSES, test_scale=70)))
  for name in ('resize_filter', 'stored_side', 'background', 'orientation'):
    del values[name]
  (tmp_path / 'x.json').write_text(json.dumps(values))
  expected = replace(TWO_CLASSES, test_scale=64, resize_filter='bilinear')
  assert contract.read_contract(tmp_path / 'x.json') == expected


def test_a_contract_describes_its_preprocessing():
  rules = replace(TWO_CLASSES, test_scale=70, stored_side=256).preprocessing
  assert (rules.test_scale, rules.stored_side) == (70, 256)
  assert (rules.resize_filter, rules.background, rules.orientation) == (
    'antialiased_bilinear',
    'white',
    'upright',
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
    (lambda v: v.update(random_flip='no'), "random_flip must be true or false, got 'no'"),
  ],
)
def test_an_invalid_field_of_a_contract_is_named(tmp_path, change, message):
  values = json.loads(contract.to_json(TWO_CLASSES))
  change(values)
  path = tmp_path / 'x.json'
  path.write_text(json.dumps(values))
  with pytest.raises(CheckpointError, match=message):
    contract.read_contract(path)


@pytest.mark.parametrize('text', ['', '[]', '{"a"'])
def test_a_file_that_is_not_a_contract_is_named(tmp_path, text):
  path = tmp_path / 'x.json'
  path.write_text(text)
  with pytest.raises(CheckpointError, match='x.json'):
    contract.read_contract(path)


def test_a_missing_contract_is_named(tmp_path):
  with pytest.raises(
    CheckpointError, match='x.json cannot be read as .*: No such file or directory$'
  ):
    contract.read_contract(tmp_path / 'x.json')


class TestContractOfARun:
  @pytest.fixture
  def trained(self):
    return config_test.a_config()

  @pytest.fixture
  def train_dir(self, tmp_path, trained):
    config.write_train_config(str(tmp_path), trained)
    (tmp_path / 'checkpoint').write_text('model_checkpoint_path: "model.ckpt-7"\n')
    (tmp_path / 'model.ckpt-7.index').touch()
    return tmp_path

  def test_it_has_the_values_of_config_json(self, trained):
    expected = make_contract(
      'vgg16', 3, 32, 4096, rgb_mean=(1, 2, 3), class_names=('a', 'b', 'c'), test_scale=32
    )
    assert contract.from_train_config(trained) == expected
    assert contract.net_config(expected) == trained.net
    assert expected.network == trained.net.network

  @pytest.mark.parametrize('path', ['', 'model.ckpt-7', 'model.ckpt-7.index'])
  def test_folder_prefix_and_file_all_name_the_checkpoint(self, train_dir, trained, path):
    prefix, loaded = contract.load_contract(str(train_dir / path))
    assert prefix == str(train_dir / 'model.ckpt-7')
    assert loaded == contract.from_train_config(trained)

  def test_the_file_beside_the_checkpoint_takes_precedence(self, train_dir):
    contract.write_contract(train_dir / 'model.ckpt-7.json', TWO_CLASSES)
    assert contract.load_contract(str(train_dir))[1] == TWO_CLASSES

  def test_config_json_says_whether_images_were_mirrored_if_the_contract_does_not(
    self, train_dir, trained
  ):
    fed = dataclasses.replace(trained.preprocessing, random_flip=False)
    unflipped = dataclasses.replace(trained, preprocessing=fed)
    config.write_train_config(str(train_dir), unflipped)
    path = train_dir / 'model.ckpt-7.json'
    own = replace(TWO_CLASSES, source=None)
    contract.write_contract(path, own)
    assert 'random_flip' not in path.read_text()
    loaded = contract.load_contract(str(train_dir))[1]
    assert loaded == replace(own, random_flip=False)
    (train_dir / 'config.json').write_text('{')
    assert contract.load_contract(str(train_dir))[1] == own

  @pytest.mark.parametrize(
    'known', [TWO_CLASSES, replace(TWO_CLASSES, source=None, random_flip=False)]
  )
  def test_a_contract_that_says_so_or_is_of_no_run_keeps_its_flips(self, train_dir, trained, known):
    fed = dataclasses.replace(trained.preprocessing, random_flip=not known.random_flip)
    config.write_train_config(str(train_dir), dataclasses.replace(trained, preprocessing=fed))
    contract.write_contract(train_dir / 'model.ckpt-7.json', known)
    assert contract.load_contract(str(train_dir))[1] == known

  def test_missing_contract_and_checkpoint_are_named(self, train_dir):
    (train_dir / 'config.json').unlink()
    with pytest.raises(CheckpointError, match=r'neither model.ckpt-7.json nor config.json beside'):
      contract.load_contract(str(train_dir))
    (train_dir / 'model.ckpt-7.index').unlink()
    with pytest.raises(CheckpointError, match='holds no checkpoint'):
      contract.load_contract(str(train_dir))
    with pytest.raises(CheckpointError, match='nowhere is neither a checkpoint nor a folder'):
      contract.load_contract('nowhere')

  def test_config_json_replaces_a_damaged_contract(self, train_dir, trained, caplog):
    (train_dir / 'model.ckpt-7.json').write_text('{"format')
    prefix, loaded = contract.load_contract(str(train_dir))
    assert loaded == contract.from_train_config(trained)
    assert f'{prefix}.json cannot be read as the contract' in caplog.text
    assert 'Using config.json of the run instead.' in caplog.text
    (train_dir / 'config.json').unlink()
    with pytest.raises(CheckpointError, match=r'model.ckpt-7.json cannot be read as the contract'):
      contract.load_contract(str(train_dir))


@pytest.mark.parametrize(
  ('names', 'message'),
  [
    (('dog', 'cat'), "c has the same classes in another order: 0 is 'cat', here 'dog'; 1 is"),
    (('cat', 'bird'), "c has other classes: 1 is 'dog', here 'bird'. Do so."),
    (('cat', 'dog', 'bird'), 'c has other classes: 2 of them, here 3. Do so.'),
  ],
)
def test_different_class_names_are_refused(names, message):
  with pytest.raises(CheckpointError) as error:
    contract.check_class_names(TWO_CLASSES, names, 'c', 'Do so.')
  assert message in str(error.value)


def test_equal_or_unknown_class_names_agree():
  assert contract.check_class_names(TWO_CLASSES, ('cat', 'dog'), 'c') is None
  nameless = replace(TWO_CLASSES, class_names=None)
  assert contract.check_class_names(nameless, ('x', 'y'), 'c') is None


def test_find_contract_gives_none_without_a_contract(tmp_path):
  assert contract.find_contract(str(tmp_path / 'model.ckpt-7')) is None


def test_a_contract_is_found_beside_its_checkpoint(tmp_path):
  contract.write_contract(tmp_path / 'vgg16.json', TWO_CLASSES)
  assert contract.find_contract(str(tmp_path / 'vgg16')) == TWO_CLASSES


def test_different_pixel_values_are_refused_with_both_values():
  mean = IMAGENET_RGB_MEAN
  same = config.PreprocessingConfig(mean, 1.0, keep_aspect_ratio=False)
  assert contract.check_preprocessing(TWO_CLASSES, same, 'w/vgg16') is None
  with pytest.raises(CheckpointError) as error:
    others = config.PreprocessingConfig((1.0, 2.0, 3.0), 0.5)
    contract.check_preprocessing(TWO_CLASSES, others, 'w/vgg16')
  assert str(error.value) == (
    f'w/vgg16 expects other pixel values: rgb_mean {mean}, here (1.0, 2.0, 3.0); '
    'pixel_scale 1.0, here 0.5.'
  )
  standardized = config.PreprocessingConfig((0.0,) * 3, per_image_standardization=True)
  with pytest.raises(CheckpointError, match='per_image_standardization False, here True'):
    contract.check_preprocessing(TWO_CLASSES, standardized, 'w/vgg16')


def test_classes_of_imagenet_agree_under_all_of_their_usual_names():
  words = imagenet_classes.names()
  synsets = imagenet_classes.canonical(words)
  described = make_contract('vgg_d', 1000, 224, class_names=words)
  for names in (synsets, [f'{synset} in other words' for synset in synsets]):
    contract.check_class_names(described, names, 'c')
  swapped = (synsets[1], synsets[0], *synsets[2:])
  with pytest.raises(CheckpointError, match="another order: 0 is 'n01440764', here 'n01443537'; 1"):
    contract.check_class_names(described, swapped, 'c')
