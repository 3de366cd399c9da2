"""Every recipe is a run, or phases of one, and its header says what it costs and achieves."""

import dataclasses
import pathlib
import re

import pytest
from absl import flags
from absl.testing import flagsaver

from tests.training.graph_test import a_manifest
from vgg_slim.checkpoints import contract
from vgg_slim.commands import phases
from vgg_slim.commands import train as _  # noqa: F401  (defines every flag)
from vgg_slim.commands.flags import config_flags, recommended_flags

RECIPES = sorted(pathlib.Path(__file__).parents[2].joinpath('recipes').glob('*.flags'))


def configs(path):
  """One config for each phase, for a data set of the tests.

  A recipe gives all that would otherwise be chosen by default, and would change with the defaults.
  """
  with flagsaver.flagsaver():
    flags.FLAGS(['test', f'--flagfile={path}'])
    manifest = dataclasses.replace(a_manifest(), largest_side=500)
    parts = phases.phases_from_flags() or [phases.Phase('whole', {})]
    made = []
    for number, part in enumerate(parts):
      with phases.applied(phases.following('before', part) if number else part):
        # Instead of a checkpoint, or a download.
        start = config_flags.expected_start(manifest.num_classes)
        if number and 'checkpoint_path' not in part.overrides:
          start = config_flags.Start('before', contract.from_train_config(made[-1]))
        made.append(config_flags.train_config_from_flags('data', manifest, start))
        assert recommended_flags.describe_choice(made[-1], 1_000) is None
    return made


def test_make_trains_in_the_folder_of_its_recipe():
  root = pathlib.Path(__file__).parents[2]
  folder = re.search(r'^TRAIN_DIR [?]= (\S+)$', (root / 'Makefile').read_text(), re.MULTILINE)[1]
  assert f'--train_dir={folder}\n' in (root / 'recipes/digits_vgg16.flags').read_text()


@pytest.mark.parametrize('path', RECIPES, ids=lambda path: path.stem)
def test_a_recipe_has_valid_flags_and_a_complete_header(path):
  assert configs(path)
  header = '\n'.join(li for li in path.read_text().splitlines() if li.startswith('#'))
  assert f'--flagfile=recipes/{path.name}' in header
  for word in ('Source:', 'Data:', 'Weights:', 'Cost:', 'Expect:', 'Differs:'):
    assert word in header


def recipe(name):
  return configs(next(path for path in RECIPES if path.stem == name))


def test_the_imagenet_recipe_follows_the_paper():
  a, d, s384, multi = recipe('imagenet_vgg_d')
  assert (a.net.model, a.fine_tune.checkpoint_path) == ('vgg_a', None)
  assert d.net.model == s384.net.model == multi.net.model == 'vgg_d'
  assert [c.fine_tune.from_net_a for c in (a, d, s384, multi)] == [False, True, False, False]
  scales = [
    (c.preprocessing.train_scale_min, c.preprocessing.train_scale_max) for c in (s384, multi)
  ]
  assert scales == [(384, 384), (256, 512)]
  assert {c.preprocessing.rgb_shift for c in (a, d, s384, multi)} == {0.1}
  assert [c.optimizer.learning_rate for c in (d, s384)] == [1e-2, 1e-3]


def test_fine_tuning_trains_the_new_head_first():
  head, everything = recipe('finetune_vgg16')
  scopes = ('vgg_16/fc6', 'vgg_16/fc7', 'vgg_16/fc8')
  assert head.fine_tune.trainable_scopes == scopes
  assert head.fine_tune.checkpoint_path == 'keras/vgg16_notop'
  assert head.fine_tune.new_head
  assert everything.fine_tune.trainable_scopes == ()
  assert everything.fine_tune.checkpoint_path == 'before'
  assert not everything.fine_tune.new_head
  for phase in (head, everything):
    fed = phase.preprocessing
    assert (fed.width_shift, fed.height_shift, fed.zoom_min, fed.zoom_max) == (0.2, 0.2, 0.5, 1.5)
    assert (fed.brightness_min, fed.brightness_max) == (0.9, 1.1)
    assert fed.train_scale_min == fed.train_scale_max == phase.net.image_size
  assert (head.optimizer.learning_rate, everything.optimizer.learning_rate) == (1e-3, 1e-5)
  assert [(p.run.batch_size, p.run.epochs) for p in (head, everything)] == [(32, 20), (64, 20)]


def test_birds_start_from_imagenet_weights_with_a_new_head():
  (birds,) = recipe('birds_resnet50')
  assert birds.fine_tune.checkpoint_path == 'keras/resnet50_notop'
  assert birds.fine_tune.new_head
  fed, optimizer = birds.preprocessing, birds.optimizer
  assert (fed.train_scale_min, fed.train_scale_max, fed.keep_aspect_ratio) == (224, 224, False)
  assert (optimizer.optimizer, optimizer.learning_rate) == ('adam', 1e-3)
  assert (birds.run.batch_size, birds.run.epochs) == (8, 10)


def test_cats_and_dogs_learn_at_the_rate_of_the_source():
  (cats_dogs,) = recipe('cats_dogs_vgg16')
  assert (cats_dogs.optimizer.optimizer, cats_dogs.optimizer.learning_rate) == ('adam', 1e-5)
  assert cats_dogs.run.early_stop_patience == 20
