import numpy as np
import PIL.Image

from tests.testing import make_data_set, train_config
from vgg_slim.compat import tf
from vgg_slim.data import manifest as manifests
from vgg_slim.evaluation import projector
from vgg_slim.nets import registry
from vgg_slim.nets.mode import Inference


def test_tiles_are_arranged_row_by_row():
  tiles = np.arange(5, dtype=np.uint8)[:, None, None, None] + np.zeros([5, 2, 2, 3], np.uint8) + 1
  sprite = projector.draw_sprite(tiles)
  assert sprite.shape == (6, 6, 3)
  np.testing.assert_array_equal(sprite[::2, ::2, 0], [[1, 2, 3], [4, 5, 0], [0, 0, 0]])
  np.testing.assert_array_equal(sprite[1::2, 1::2, 2], sprite[::2, ::2, 0])


def test_files_of_the_projector(tmp_path):
  features = projector.Features(
    'fc7', np.array([[0.5, 0], [0, 1e-7]]), np.array([1, 0]), np.zeros([2, 4, 4, 3], np.uint8)
  )
  projector.write_projector(tmp_path / 'new', features, ('a', 'b\tc'))
  folder = tmp_path / 'new'
  assert (folder / 'labels.tsv').read_text() == 'b c\na\n'
  np.testing.assert_allclose(np.loadtxt(folder / 'features.tsv'), features.values)
  with PIL.Image.open(folder / 'sprite.png') as sprite:
    assert sprite.size == (8, 8)
  config = (folder / projector.CONFIG_FILE).read_text()
  assert 'tensor_name: "fc7"' in config
  assert config.count('single_image_dim: 4') == 2


def test_features_are_the_input_of_the_last_layer(tmp_path, monkeypatch):
  monkeypatch.setattr(projector, 'MAX_IMAGES', 5)
  data_dir, manifest = make_data_set(tmp_path / 'data', per_class=4)
  config = train_config(data_dir, manifest)
  net = config.net.__class__(2, 'vgg_a@4', image_size=32, fc_units=16, initializer='he')
  config = config.__class__(**{**vars(config), 'net': net})
  with tf.Graph().as_default(), tf.Session() as session:
    tf.set_random_seed(1)
    outputs = registry.build_from_config(net, tf.zeros([1, 32, 32, 3]), Inference())
    session.run(tf.global_variables_initializer())
    checkpoint = tf.train.Saver().save(session, str(tmp_path / 'model.ckpt'))
  shards = manifests.shard_paths(data_dir, manifest, 'train')
  features = projector.run_features(checkpoint, config, shards)
  assert (features.layer, features.values.shape, features.tiles.shape) == (
    'fc7',
    (5, 16),
    (5, 32, 32, 3),
  )
  assert set(features.labels) == {0, 1}
  mean_of_class = [features.tiles[features.labels == label].mean((0, 1, 2)) for label in (0, 1)]
  assert (
    np.abs(mean_of_class[0] - mean_of_class[1]).max() > 10
  )  # the images of each class have a color of their own
  assert features.values.min() >= 0  # after its ReLU
  assert features.values.max() > 0
  assert outputs.end_points['fc7'].shape.as_list()[-1] == 16
