import io

import numpy as np
import PIL.Image
import pytest

from tests.export.fabricated import CONTRACT, check_outputs, expected_outputs, make_checkpoint
from tests.export.fabricated import pictures as make_pictures
from tests.testing import graph_session
from vgg_slim.compat import tf
from vgg_slim.export import serving_graph
from vgg_slim.weights import restore


def png(pixels):
  buffer = io.BytesIO()
  PIL.Image.fromarray(pixels).save(buffer, 'PNG')
  return buffer.getvalue()


@pytest.mark.parametrize('dtype', [tf.uint8, tf.float32])
def test_pixels_are_normalised_inside(tmp_path, dtype):
  prefix, contract = make_checkpoint(tmp_path)
  images = make_pictures(2, 64, 40)
  with graph_session() as session:
    fed = tf.placeholder(dtype, [None, None, None, 3])
    outputs = serving_graph.build_outputs(contract, fed)
    restore.restore(session, prefix)
    got = session.run(outputs, {fed: images})
  assert tuple(got) == serving_graph.list_outputs(contract)
  assert got['class_score_map'].shape == (2, 2, 1, 3)
  check_outputs(got, expected_outputs(prefix, contract, images))


def test_files_are_decoded_and_brought_to_q():
  # Q is the pictures' own smaller side, so that resizing changes nothing.
  images = make_pictures(2, CONTRACT.test_scale, 50)
  files = np.array([png(image) for image in images], object)
  with graph_session() as session:
    decoded = serving_graph.build_decoded(CONTRACT, tf.constant(files))
    np.testing.assert_array_equal(session.run(decoded), images)
    twice = [png(image.repeat(2, 0).repeat(2, 1)) for image in images]
    half = session.run(serving_graph.build_decoded(CONTRACT, tf.constant(twice)))
    assert half.shape == images.shape


def test_a_trunk_gives_its_last_map(tmp_path):
  prefix, contract = make_checkpoint(
    tmp_path, model='vgg_a_bn@4', num_classes=None, fc_units=None, class_names=None
  )
  with graph_session() as session:
    outputs = serving_graph.build_outputs(contract, tf.constant(make_pictures(1, 64, 96)))
    restore.restore(session, prefix)
    got = session.run(outputs)
  assert tuple(got) == serving_graph.list_outputs(contract) == ('features',)
  assert got['features'].shape == (1, 2, 3, 32)


def test_a_sigmoid_gives_both_classes(tmp_path):
  prefix, contract = make_checkpoint(
    tmp_path, num_classes=2, class_names=None, classifier_activation='sigmoid'
  )
  with graph_session() as session:
    outputs = serving_graph.build_outputs(contract, tf.constant(make_pictures(2, 32, 32)))
    restore.restore(session, prefix)
    got = session.run(outputs)
  p = 1 / (1 + np.exp(-got['logits'][:, 1].astype(np.float64)))
  np.testing.assert_allclose(got['probabilities'], np.stack([1 - p, p], 1), atol=1e-6)
