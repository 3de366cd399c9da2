"""Networks that are wide enough for the fast paths, which need layers of at least 128 channels.

A thin network uses none of them, and whole images do not use the same ones as crops, whose sides
are known when the graph is built.
"""

import dataclasses
import functools
import itertools

import numpy as np
import PIL.Image
import pytest

from tests.evaluation import numpy_vgg
from tests.testing import graph_session, thin, thin_model, train_config
from vgg_slim.compat import tf
from vgg_slim.configs import config
from vgg_slim.data.conversion import converter, splitting
from vgg_slim.data.sources import catalog
from vgg_slim.evaluation import views
from vgg_slim.evaluation.eval_config import EvalConfig
from vgg_slim.evaluation.runner import Evaluator
from vgg_slim.nets import registry, specs
from vgg_slim.nets.mode import Inference
from vgg_slim.preprocessing import png_files

SIDE = 64
SHAPES = [(64, 85), (64, 85), (99, 64), (64, 64)]  # the smaller side is Q: no resizing
ALL_PAIRS = tuple('+'.join(pair) for pair in itertools.combinations(views.VIEWS, 2))

# Full width, but two units per block in ResNets, whose 3x3 layers have 128 channels from block2 on.
MODELS = ('resnet50', 'resnet_v1_50', 'vgg_a_bn', 'vgg_a')


@pytest.fixture(scope='module')
def data(tmp_path_factory):
  """Folder and manifest of a data set, and pixels in the order of its split."""
  rng = np.random.default_rng(0)
  images = []
  for i, (height, width) in enumerate(SHAPES):
    small = PIL.Image.fromarray(rng.integers(0, 256, [7, 7, 3], np.uint8))
    pixels = np.asarray(small.resize([width, height], PIL.Image.Resampling.BICUBIC))
    images.append(catalog.LabeledImage(str(i), i % 2, functools.partial(png_files.encode, pixels)))
  source = catalog.Source('folder', ('a', 'b'), {'train': images}, mirror_safe=True)
  rule = splitting.SplitRule(fraction=0)
  folder = tmp_path_factory.mktemp('data') / 'converted'
  manifest = converter.convert(source, folder, converter.Options(rule))
  order = splitting.plan_splits(source, rule)['train'].order
  return str(folder), manifest, [numpy_vgg.decode(images[i].read()) for i in order]


def random_value(name, shape, rng):
  """He-initialized kernels and non-trivial batch norm, so that the scores of images differ."""
  if len(shape) > 1:
    return rng.normal(0, np.sqrt(2 / np.prod(shape[:-1])), shape)
  values = rng.normal(0, 0.1, shape)
  return 1 + np.abs(values) if name.endswith(('gamma', 'moving_variance')) else values


def score_plainly(net, images, prefix):
  """Logits [N, K] by view from a graph without cached weights and fast convolutions.

  Also saves the random weights of the network at `prefix`.
  """
  rng = np.random.default_rng(3)
  with graph_session() as session:
    fed = tf.placeholder(tf.float32, [None, None, None, 3])
    logits = registry.build_from_config(net, fed, Inference()).logits
    variables = tf.global_variables()
    feeds = {
      v.initializer.inputs[1]: random_value(v.op.name, v.shape.as_list(), rng) for v in variables
    }
    session.run([v.initializer for v in variables], feeds)
    tf.train.Saver().save(session, prefix)
    return {
      view: np.array(
        [
          session.run(logits, {fed: numpy_vgg.images_of_view(image, SIDE, view)}).mean(0)
          for image in images
        ]
      )
      for view in views.VIEWS
    }


@pytest.mark.parametrize('model', MODELS)
def test_all_pairs_of_views_in_one_graph(data, model, monkeypatch, tmp_path):
  folder, manifest, pixels = data
  net = config.NetConfig(2, thin_model(monkeypatch, model, 64), image_size=SIDE, fc_units=16)
  trained = train_config(folder, manifest)
  fed = dataclasses.replace(trained.preprocessing, train_scale_min=SIDE, train_scale_max=SIDE)
  trained = dataclasses.replace(trained, net=net, preprocessing=fed)
  images = [(image - fed.rgb_mean) * fed.pixel_scale for image in pixels]
  prefix = str(tmp_path / 'model.ckpt')
  expected = score_plainly(net, images, prefix)

  request = EvalConfig(test_scales=(SIDE,), split='train', views=ALL_PAIRS, average='logits')
  with Evaluator(trained, folder, manifest, request) as evaluator:
    scored = evaluator.score(prefix)
  for view in views.VIEWS:
    largest = np.abs(expected[view]).max()
    assert np.ptp(expected[view], axis=0).max() > 0.1 * largest  # the images differ
    # Winograd causes errors of 1e-5 of the largest value in each of up to 8 layers.
    np.testing.assert_allclose(
      scored.passes[view, SIDE].scores, expected[view], rtol=0, atol=1e-4 * largest
    )


@pytest.mark.parametrize('model', MODELS)
@pytest.mark.parametrize('sides', [(None, SIDE), (SIDE, None)])
def test_whole_images_and_crops_can_be_built_in_either_order(model, sides):
  spec = thin(specs.get(model), 64)
  with tf.Graph().as_default():
    for side in sides:
      with tf.variable_scope(tf.get_variable_scope(), reuse=tf.AUTO_REUSE):
        registry.build(
          spec,
          tf.placeholder(tf.float32, [None, side, side, 3]),
          2,
          Inference.fast(),
          image_size=SIDE,
          fc_units=16,
        )
