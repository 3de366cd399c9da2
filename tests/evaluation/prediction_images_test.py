import numpy as np
import PIL.Image
import pytest

from tests.testing import make_contract
from vgg_slim.errors import ConfigError
from vgg_slim.evaluation import prediction_images
from vgg_slim.evaluation.predictions import ClassScore, Prediction
from vgg_slim.evaluation.predictor import Explanation

CONTRACT = make_contract('vgg16', 2, 224, 4096)


class FakePredictor:
  """Records calls of `explain`, and returns maps of an image of 256x320 pixels."""

  def __init__(self):
    self.calls = []

  def read(self, path):
    return np.zeros([256, 320, 3], np.float32)

  def explain(self, image, class_id, layer):
    self.calls.append((image.shape, class_id, layer))
    return Explanation(np.zeros([256, 320, 3], np.uint8), np.ones([2, 4]) / 2, np.ones([16, 20]))


@pytest.fixture
def predictions(tmp_path):
  for name in ('a/cat.png', 'b/cat.jpg', 'b/dog.jpg'):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    PIL.Image.new('RGB', (30, 20)).save(tmp_path / name)
  top = (ClassScore(1, 'cat', 0.9), ClassScore(0, 'dog', 0.1))
  return [Prediction(str(path), top) for path in sorted(tmp_path.rglob('*.*'))]


def test_images_with_the_same_name_get_separate_files(predictions, tmp_path):
  prediction_images.write_bar_charts(tmp_path / 'charts', predictions)
  names = sorted(path.name for path in (tmp_path / 'charts').iterdir())
  assert names == ['cat.png', 'cat_2.png', 'dog.png']
  prediction_images.write_bar_charts(tmp_path / 'charts', predictions)  # overwrites


@pytest.mark.parametrize(
  ('layer', 'expected'), [(None, 'conv5/conv5_3'), ('conv4_1', 'conv4/conv4_1')]
)
def test_the_most_probable_class_is_explained(predictions, tmp_path, layer, expected):
  predictor = FakePredictor()
  folder = tmp_path / 'maps'
  prediction_images.write_heat_maps(folder, predictions[:1], predictor, CONTRACT, layer)
  assert predictor.calls == [((256, 320, 3), 1, expected)]
  assert (folder / 'cat.png').read_bytes().startswith(b'\x89PNG')


def test_an_unknown_layer_writes_nothing(predictions, tmp_path):
  with pytest.raises(ConfigError, match="no layer 'conv9'"):
    prediction_images.write_heat_maps(
      tmp_path / 'maps', predictions, FakePredictor(), CONTRACT, 'conv9'
    )
  assert not (tmp_path / 'maps').exists()


def test_a_grid_names_the_files(predictions, tmp_path, monkeypatch):
  drawn = []
  draw = prediction_images.samples.draw_samples
  monkeypatch.setattr(
    prediction_images.samples, 'draw_samples', lambda *rest: drawn.append(rest[1]) or draw(*rest)
  )
  with (tmp_path / 'grid.png').open('wb') as stream:
    prediction_images.write_grid(stream, predictions)
  assert [caption.split('\n') for caption in drawn[0]] == [
    [name, 'cat', '90.0%'] for name in ('cat.png', 'cat.jpg', 'dog.jpg')
  ]
  assert (tmp_path / 'grid.png').read_bytes().startswith(b'\x89PNG')
