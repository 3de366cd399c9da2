import dataclasses
import json

import pytest

from tests.configs import settings_table
from vgg_slim.configs import config, resuming
from vgg_slim.errors import CheckpointError, ConfigError


def a_config(**run):
  return config.TrainConfig(
    net=config.NetConfig(num_classes=3, model='vgg16', image_size=32),
    preprocessing=config.PreprocessingConfig((1, 2, 3), 1.0, 36, 40),
    optimizer=config.OptimizerConfig(),
    run=config.RunConfig(**run),
    fine_tune=config.FineTuneConfig(),
    data_dir='data',
    data_fingerprint='abc',
    class_names=('a', 'b', 'c'),
  )


def test_json_round_trip():
  assert config.TrainConfig.from_json(a_config().to_json()) == a_config()


def test_file_round_trip(tmp_path):
  config.write_train_config(str(tmp_path), a_config())
  assert config.read_train_config(str(tmp_path)) == a_config()


def test_a_folder_without_a_config_is_not_a_train_dir(tmp_path):
  with pytest.raises(CheckpointError, match='is not a train_dir: it has no config.json'):
    config.read_train_config(str(tmp_path))
  (tmp_path / '1_head').mkdir()
  config.write_train_config(str(tmp_path / '1_head'), a_config())
  with pytest.raises(CheckpointError, match='Its phases are train_dirs: .*/1_head'):
    config.read_train_config(str(tmp_path))


def test_a_mistyped_train_dir_is_not_said_to_lack_a_file(tmp_path):
  (tmp_path / 'photos').mkdir()
  with pytest.raises(CheckpointError) as error:
    config.read_train_config(str(tmp_path / 'phot'))
  assert str(error.value) == (
    f'--train_dir={tmp_path}/phot: there is no such folder. Did you mean {tmp_path}/photos?'
  )


@pytest.mark.parametrize(
  ('text', 'message'),
  [
    ('{', 'not JSON'),
    ('[]', 'top level.*must be an object'),
    ('{"net": {}}', 'missing .*class_names'),
  ],
)
def test_a_damaged_file_is_named(tmp_path, text, message):
  (tmp_path / 'config.json').write_text(text)
  with pytest.raises(CheckpointError, match=f'config.json is damaged or .*{message}.*--train_dir'):
    config.read_train_config(str(tmp_path))


def test_a_file_that_lacks_a_field_gets_its_default():
  values = json.loads(a_config().to_json())
  del values['run']['seed'], values['optimizer']
  with pytest.raises(ConfigError, match="missing \\['optimizer'\\]"):
    config.TrainConfig.from_json(json.dumps(values))
  values['optimizer'] = {}
  assert config.TrainConfig.from_json(json.dumps(values)) == a_config()


def test_unknown_fields_are_named():
  values = json.loads(a_config().to_json())
  values['net']['depth'] = 16
  with pytest.raises(ConfigError, match="'net': missing \\[\\], unknown \\['depth'\\]"):
    config.TrainConfig.from_json(json.dumps(values))


def test_the_crop_must_fit_into_the_smallest_training_image():
  with pytest.raises(ConfigError, match='train_scale_min=36 is smaller than image_size=40'):
    dataclasses.replace(a_config(), net=config.NetConfig(3, image_size=40))


def test_a_batch_must_split_into_equal_micro_batches():
  optimizer = config.OptimizerConfig(gradient_accumulation_steps=3)
  with pytest.raises(
    ConfigError, match='batch_size=32 cannot be split into gradient_accum.*=3 equal micro-batches'
  ):
    dataclasses.replace(a_config(), optimizer=optimizer)


def test_a_run_of_version_0_1_keeps_its_resize_filter():
  values = json.loads(a_config().to_json())
  del values['preprocessing']['resize_filter'], values['preprocessing']['stored_side']
  saved = config.TrainConfig.from_json(json.dumps(values))
  assert saved.preprocessing.resize_filter == 'bilinear'
  resumed, ignored = resuming.resume(saved, {'run.epochs': 99.0}, 'runs/photos')
  assert resumed.preprocessing.resize_filter == 'bilinear'
  assert ignored == ()
  assert len(resuming.compare(saved, resumed, 'runs/photos')) == 1


def test_every_field_declares_its_meaning_and_what_a_resume_does():
  undeclared = [
    name
    for name, setting in config.all_settings().items()
    if not setting.help.endswith('.') or setting.resume is None
  ]
  assert not undeclared, 'declare them with configs.fields.setting'


def test_the_page_on_file_formats_lists_every_setting():
  assert settings_table.documented_rows() == settings_table.rows(), (
    'run python -m tests.configs.settings_table'
  )


def test_every_conflict_between_sections_is_listed_at_once():
  with pytest.raises(ConfigError) as error:
    dataclasses.replace(
      a_config(batch_size=10),
      net=config.NetConfig(2, image_size=40),
      optimizer=config.OptimizerConfig(gradient_accumulation_steps=3),
    )
  assert str(error.value) == (
    'train_scale_min=36 is smaller than image_size=40: no crop of 40 pixels fits; '
    'num_classes=2, but there are 3 class names; batch_size=10 cannot be split into '
    'gradient_accumulation_steps=3 equal micro-batches.'
  )


@pytest.mark.parametrize(
  ('weights', 'message'),
  [
    ((1.0, 2.0), 'num_classes=3, but there are 2 class_weights'),
    ((1.0, -2.0, 1.0), 'class_weights must be numbers of at least 0, and not all 0'),
    ((0.0, 0.0, 0.0), 'class_weights must be numbers of at least 0, and not all 0'),
    (('1', '2', '3'), 'class_weights must be a list'),
  ],
)
def test_class_weights_must_fit_the_classes(weights, message):
  with pytest.raises(ConfigError, match=message):
    dataclasses.replace(a_config(), optimizer=config.OptimizerConfig(class_weights=weights))


def test_class_weights_survive_the_file():
  weights = (0.1 + 0.2, 1 / 3, 2.0)
  made = dataclasses.replace(a_config(), optimizer=config.OptimizerConfig(class_weights=weights))
  assert config.TrainConfig.from_json(made.to_json()) == made
