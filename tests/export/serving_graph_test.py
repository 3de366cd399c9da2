import io

import numpy as np
import PIL.Image
import pytest

from tests.export.fabricated import check_outputs, expected_outputs, make_checkpoint, random_images
from tests.testing import graph_session
from vgg_slim.checkpoints import restore
from vgg_slim.compat import tf
from vgg_slim.export import serving_graph


def png(pixels):
  buffer = io.BytesIO()
  PIL.Image.fromarray(pixels).save(buffer, 'PNG')
  return buffer.getvalue()


@pytest.mark.parametrize('dtype', [tf.uint8, tf.float32])
def test_pixels_are_normalized_inside_the_graph(tmp_path, dtype):
  prefix, contract = make_checkpoint(tmp_path)
  images = random_images(2, 64, 40)
  with graph_session() as session:
    pixels = tf.placeholder(dtype, [None, None, None, 3])
    outputs = serving_graph.build_outputs(contract, pixels)
    restore.restore(session, prefix)
    got = session.run(outputs, {pixels: images})
  assert tuple(got) == serving_graph.list_outputs(contract)
  assert got['class_score_map'].shape == (2, 2, 1, 3)
  check_outputs(got, expected_outputs(prefix, contract, images))


def outputs_of_files(prefix, contract, files):
  with graph_session() as session:
    serving_graph.build_outputs(contract, tf.placeholder(tf.float32, [None, None, None, 3]))
    encoded = tf.placeholder(tf.string, [None])
    outputs = serving_graph.build_outputs_of_files(contract, encoded)
    restore.restore(session, prefix)
    return session.run(outputs, {encoded: np.array(files, object)})


def test_files_of_several_sizes_in_one_batch(tmp_path):
  prefix, contract = make_checkpoint(tmp_path)
  q = contract.preprocessing.test_scale
  # The smaller sides are Q, so that resizing changes nothing.
  images = [random_images(q, q + 24, seed=0), random_images(q + 56, q, seed=1)]
  got = outputs_of_files(prefix, contract, [png(image) for image in images])
  for i, image in enumerate(images):
    expected = expected_outputs(prefix, contract, image[np.newaxis])
    del expected['class_score_map']
    check_outputs({name: array[i : i + 1] for name, array in got.items()}, expected)


def test_files_are_rotated_upright_and_composed_on_white(tmp_path):
  prefix, contract = make_checkpoint(tmp_path)
  q = contract.preprocessing.test_scale
  pixels = random_images(q, q + 24)
  alpha = np.full([q, q + 24, 1], 255, np.uint8)
  alpha[: q // 2] = 0
  rotated = io.BytesIO()
  exif = PIL.Image.Exif()
  exif[0x0112] = 6  # upright after a rotation by 90 degrees clockwise
  PIL.Image.fromarray(pixels).save(rotated, 'PNG', exif=exif)
  on_white = pixels.copy()
  on_white[: q // 2] = 255
  files = [png(np.concatenate([pixels, alpha], 2)), rotated.getvalue()]
  got = outputs_of_files(prefix, contract, files)
  for i, image in enumerate([on_white, np.rot90(pixels, -1)]):
    expected = expected_outputs(prefix, contract, image[np.newaxis])['logits']
    check_outputs({'logits': got['logits'][i : i + 1]}, {'logits': expected})


def test_files_of_unsupported_formats_are_refused_with_a_message(tmp_path):
  prefix, contract = make_checkpoint(tmp_path)
  webp = io.BytesIO()
  PIL.Image.fromarray(random_images(40, 40)).save(webp, 'WEBP')
  with pytest.raises(tf.errors.InvalidArgumentError, match='Only JPEG, PNG, GIF and BMP files'):
    outputs_of_files(prefix, contract, [png(random_images(40, 40)), webp.getvalue()])


def test_a_trunk_takes_files_of_one_size(tmp_path):
  prefix, contract = make_checkpoint(
    tmp_path, model='vgg_a_bn@4', num_classes=None, class_names=None
  )
  files = [png(random_images(contract.preprocessing.test_scale, 70, seed=i)) for i in range(2)]
  got = outputs_of_files(prefix, contract, files)
  assert {name: array.shape for name, array in got.items()} == {'features': (2, 1, 2, 32)}


def test_a_trunk_gives_its_last_map(tmp_path):
  prefix, contract = make_checkpoint(
    tmp_path, model='vgg_a_bn@4', num_classes=None, class_names=None
  )
  with graph_session() as session:
    outputs = serving_graph.build_outputs(contract, tf.constant(random_images(1, 64, 96)))
    restore.restore(session, prefix)
    got = session.run(outputs)
  assert tuple(got) == serving_graph.list_outputs(contract) == ('features',)
  assert got['features'].shape == (1, 2, 3, 32)


def test_a_sigmoid_gives_both_classes(tmp_path):
  prefix, contract = make_checkpoint(
    tmp_path, num_classes=2, class_names=None, classifier_activation='sigmoid'
  )
  with graph_session() as session:
    outputs = serving_graph.build_outputs(contract, tf.constant(random_images(2, 32, 32)))
    restore.restore(session, prefix)
    got = session.run(outputs)
  p = 1 / (1 + np.exp(-got['logits'][:, 1].astype(np.float64)))
  np.testing.assert_allclose(got['probabilities'], np.stack([1 - p, p], 1), atol=1e-6)
