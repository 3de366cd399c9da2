"""The public face: its names and signatures, and the examples in its docstrings."""

import dataclasses
import doctest
import inspect
import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import PIL.Image
import pytest

import vgg_slim
from tests.testing import make_data_set
from vgg_slim import api, sessions
from vgg_slim.compat import tf
from vgg_slim.configs import config
from vgg_slim.configs.runtime import RuntimeConfig
from vgg_slim.data import manifest as manifests
from vgg_slim.errors import CheckpointError, ConfigError, DataError, OutputError
from vgg_slim.evaluation.predictions import Failure, Prediction

ROOT = pathlib.Path(__file__).parents[1]
SIDE = 32

SIGNATURES = {
  'Evaluator': [
    'path',
    'data_dir',
    'split',
    'views',
    'test_scales',
    'flip',
    'batch_size',
    'precision',
  ],
  'Predictor': ['path', 'test_scale', 'central_crop', 'flip', 'precision'],
  'build': [
    *['model', 'images', 'num_classes', 'mode', 'image_size', 'fc_units'],
    *['dropout_keep_prob', 'initializer', 'head'],
  ],
  'load': ['path', 'mode'],
  'train': [
    *['config', 'train_dir', 'overwrite', 'validation_batch_size', 'cluster', 'quiet'],
    'reporter',
  ],
}


def thin_config(data_dir, **run):
  manifest = manifests.read_manifest(data_dir)
  return config.TrainConfig(
    net=config.NetConfig(2, 'vgg16@8', image_size=SIDE, fc_units=16),
    preprocessing=config.PreprocessingConfig(
      manifest.rgb_mean, train_scale_min=36, train_scale_max=36
    ),
    optimizer=config.OptimizerConfig(0.01),
    run=config.RunConfig(**{'batch_size': 8, 'max_steps': 2, **run}),
    fine_tune=config.FineTuneConfig(),
    data_dir=data_dir,
    data_fingerprint=manifest.fingerprint,
    class_names=manifest.class_names,
  )


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  """Folder with a data set, a run on it and an image, by the names of the examples."""
  folder = tmp_path_factory.mktemp('api')
  with pytest.MonkeyPatch.context() as patch:
    patch.chdir(folder)
    make_data_set(pathlib.Path('data/photos'), names=('cat', 'dog'))
    vgg_slim.train(thin_config('data/photos'), 'runs/photos', quiet=True)
    pixels = np.random.default_rng(0).integers(0, 256, [40, 50, 3], np.uint8)
    PIL.Image.fromarray(pixels).save('cat.jpg')
  return folder


@pytest.fixture
def there(folder, monkeypatch):
  monkeypatch.chdir(folder)


def test_the_names_and_signatures_are_these():
  assert set(vgg_slim.__all__) == {*SIGNATURES, 'Inference', 'Training', '__version__'}
  assert set(vgg_slim.__all__) <= set(dir(vgg_slim))
  assert set(api.__all__) == set(vgg_slim.__all__) - {'__version__'}
  found = {name: list(inspect.signature(getattr(vgg_slim, name)).parameters) for name in SIGNATURES}
  assert found == SIGNATURES
  # All but the first arguments are optional.
  assert [
    name
    for name in SIGNATURES
    for p in list(inspect.signature(getattr(vgg_slim, name)).parameters.values())[3:]
    if p.default is p.empty
  ] == []


def test_importing_the_package_loads_no_tensorflow():
  program = (
    'import sys, vgg_slim; assert "build" in dir(vgg_slim); '
    'sys.exit(bool({"tensorflow", "numpy", "vgg_slim.api"} & set(sys.modules)))'
  )
  environment = {**os.environ, 'PYTHONPATH': str(ROOT)}
  subprocess.run(
    [sys.executable, '-c', program], cwd=ROOT, env=environment, check=True, timeout=300
  )


def test_other_names_are_attribute_errors():
  with pytest.raises(AttributeError, match="'vgg_slim' has no attribute 'biuld'"):
    _ = vgg_slim.biuld


@pytest.mark.parametrize('name', sorted(SIGNATURES))
def test_the_example_in_a_docstring_runs(name, there):
  example = doctest.DocTestParser().get_doctest(
    inspect.getdoc(getattr(vgg_slim, name)), {'np': np, 'tf': tf, 'vgg_slim': vgg_slim}, name, '', 0
  )
  assert example.examples
  report = []
  doctest.DocTestRunner(verbose=False, optionflags=doctest.ELLIPSIS).run(example, out=report.append)
  assert not report, ''.join(report)


def test_load_restores_the_weights_behind_the_pixel_rules_of_the_contract(there):
  path = 'runs/photos/model.ckpt-2'
  pixels = np.random.default_rng(1).uniform(0, 255, [2, SIDE, SIDE, 3]).astype(np.float32)
  with vgg_slim.load('runs/photos', vgg_slim.Inference()) as network:
    assert network.checkpoint == path
    logits = network.session.run(network.outputs.logits, {network.images: pixels})
    mean = network.contract.preprocessing.rgb_mean
  # By hand: the stored tensors are assigned to a network that is fed normalized pixels.
  with tf.Graph().as_default(), tf.Session() as session:
    outputs = vgg_slim.build(
      'vgg16@8', tf.constant(pixels - np.array(mean, 'f')), 2, image_size=SIDE, fc_units=16
    )
    for variable in tf.global_variables():
      variable.load(tf.train.load_variable(path, variable.op.name), session)
    np.testing.assert_allclose(logits, session.run(outputs.logits), atol=1e-5)  # float32


def test_predictor_gives_a_failure_for_a_file_that_cannot_be_read(there):
  pathlib.Path('broken.jpg').write_bytes(b'not an image')
  with vgg_slim.Predictor('runs/photos') as predictor:
    answers = predictor.predict(['broken.jpg', 'cat.jpg'])
  assert [type(answer) for answer in answers] == [Failure, Prediction]
  assert sum(score.probability for score in answers[1].top) == pytest.approx(1)


def test_evaluator_takes_its_settings_from_the_run(there):
  with vgg_slim.Evaluator('runs/photos', split='train', views=('center', 'dense')) as evaluator:
    found = evaluator.evaluate()
  assert list(found) == ['center', 'dense']
  assert found['dense'].num_images == 18
  assert found['dense'].flip
  assert found['dense'].test_scales == (32,)


def test_evaluator_asks_for_a_data_set_that_was_moved(there):
  shutil.copytree('runs/photos', 'runs/moved')
  trained = config.read_train_config('runs/moved')
  config.write_train_config('runs/moved', dataclasses.replace(trained, data_dir='/old/photos'))
  with pytest.raises(DataError, match='The run in runs/moved was trained on /old/photos, which do'):
    vgg_slim.Evaluator('runs/moved')


def test_train_resumes_the_run_in_its_folder(there, capsys):
  result = vgg_slim.train(thin_config('data/photos'), 'runs/short')
  assert (result.step, result.checkpoint) == (2, 'runs/short/model.ckpt-2')
  assert 'step 2' in capsys.readouterr().out
  assert 0 <= result.validation.top_1_accuracy <= 1
  assert vgg_slim.train(thin_config('data/photos', max_steps=3), 'runs/short').step == 3


@pytest.mark.parametrize('computed', ['float32', 'bfloat16'])
def test_validation_is_computed_in_the_precision_of_the_training(there, monkeypatch, computed):
  """That is float32 on a processor without bfloat16."""
  precisions = {'bfloat16': computed, 'float32': 'float32'}
  monkeypatch.setattr(sessions, 'computed_precision', precisions.get)
  settings = thin_config('data/photos')
  settings = dataclasses.replace(settings, runtime=RuntimeConfig('bfloat16'))
  result = vgg_slim.train(settings, f'runs/validated_{computed}', quiet=True)
  assert result.validation.precision == computed


def test_mistakes_are_errors_that_say_what_to_do(there, tmp_path):
  with pytest.raises(CheckpointError, match='nothing is neither a checkpoint nor a folder of one'):
    vgg_slim.load('nothing')
  other, _ = make_data_set(tmp_path / 'other', per_class=8, names=('cat', 'dog'))
  changed = config.TrainConfig.from_json(
    thin_config('data/photos').to_json().replace('data/photos', other)
  )
  with pytest.raises(ConfigError, match='has other images, classes or splits'):
    vgg_slim.train(changed, str(tmp_path / 'run'))
  assert not (tmp_path / 'run').exists()
  # Such a run could be trained, and its checkpoints not be read.
  with pytest.raises(OutputError, match=r'^train_dir=runs/x \[3\]: .* takes \[3\] for a pattern'):
    vgg_slim.train(thin_config('data/photos'), 'runs/x [3]')
  assert not (tmp_path / 'runs' / 'x [3]').exists()
