import numpy as np
import PIL.Image
import pytest

from tests.testing import make_contract
from vgg_slim.errors import ConfigError
from vgg_slim.evaluation.image_predictor import ImagePredictor, View, predict_files
from vgg_slim.evaluation.predictions import Failure
from vgg_slim.preprocessing import host, image_area

CONTRACT = make_contract('vgg_a@4', 3, 32, 8, test_scale=40, class_names=('a', 'b', 'c'))


class _Means(ImagePredictor):
  """A network whose probabilities are means of the left, middle and right columns' red values."""

  def __init__(self, view=View()):
    super().__init__('source', CONTRACT, view)
    self.shapes, self.waiting, self.most_waiting = [], 0, 0

  def prepare(self, encoded):
    self.waiting += 1
    self.most_waiting = max(self.waiting, self.most_waiting)
    return host.decode_rgb(encoded).astype(np.float32)

  def _run(self, batch):
    self.shapes.append(batch.shape)
    self.waiting -= len(batch) if not (self.view.flip and len(self.shapes) % 2) else 0
    return np.stack(
      [part.mean((1, 2, 3)) for part in np.array_split(batch / 255, 3, axis=2)], axis=1
    )


def _write(path, height, width, value):
  pixels = np.zeros([height, width, 3], np.uint8)
  pixels[:, : width // 3] = value
  PIL.Image.fromarray(pixels).save(path)


@pytest.fixture
def folder(tmp_path):
  for i, (height, width) in enumerate([(6, 9), (9, 6), (6, 9), (6, 9)]):
    _write(tmp_path / f'{i}.png', height, width, 51 * (i + 1))
  (tmp_path / 'bad.png').write_bytes(b'x')
  return tmp_path


def test_images_of_one_size_share_a_batch_and_answers_keep_the_order(folder):
  network = _Means()
  names = ['0.png', 'bad.png', '1.png', '2.png', '3.png']
  answers = list(predict_files(network, names, 2, 4, str(folder)))
  assert [answer.file for answer in answers] == names
  assert isinstance(answers[1], Failure)
  assert answers[1].reason.startswith('not an image')
  for value, answer in zip((0.2, 0.4, 0.6, 0.8), answers[:1] + answers[2:], strict=True):
    first, second = answer.top
    assert (first.class_name, second.class_name) == ('a', 'b')
    assert first.probability == pytest.approx(value)
    assert second.probability == 0
  assert network.shapes == [(2, 6, 9, 3), (1, 9, 6, 3), (1, 6, 9, 3)]
  assert network.most_waiting <= 4


def test_a_batch_has_no_more_pixels_than_one_image_may_have(monkeypatch):
  monkeypatch.setattr(image_area, 'MAX_PIXELS', 1)  # four squares of side 40 are allowed then
  network = _Means()
  shapes = [(80, 40, 3)] * 5 + [(80, 81, 3)] * 2
  probabilities = network.probabilities(
    [np.full(shape, 51 * (i % 5), np.float32) for i, shape in enumerate(shapes)]
  )
  sizes = [shape[0] for shape in network.shapes]
  assert sizes == [2, 2, 1, 1, 1]
  np.testing.assert_allclose(probabilities[:, 0], [0, 0.2, 0.4, 0.6, 0.8, 0, 0.2], rtol=1e-6)


def test_a_flipped_view_is_averaged_in(folder):
  network = _Means(View(flip=True))
  (answer,) = predict_files(network, ['3.png'], 3, 1, str(folder))
  assert {score.class_name: score.probability for score in answer.top} == {
    'a': pytest.approx(0.4),
    'b': 0,
    'c': pytest.approx(0.4),
  }


def test_paths_are_relative_to_the_current_folder_by_default(folder, monkeypatch):
  monkeypatch.chdir(folder)
  (answer,) = predict_files(_Means(), ['0.png'], 1, 1)
  (absolute,) = predict_files(_Means(), [str(folder / '0.png')], 1, 1, '/nowhere')
  assert answer.top == absolute.top


def test_what_is_not_finite_names_the_file_as_it_was_given(folder, monkeypatch):
  network = _Means()
  monkeypatch.setattr(network, '_run', lambda batch: np.full([len(batch), 3], np.nan))
  (answer,) = predict_files(network, ['0.png'], 1, 1, str(folder))
  assert isinstance(answer, Failure)
  assert '0.png' in answer.reason
  assert str(folder) not in answer.reason


def test_a_test_scale_that_is_too_small():
  with pytest.raises(ConfigError, match='at least image_size=32'):
    _Means(View(test_scale=31))
