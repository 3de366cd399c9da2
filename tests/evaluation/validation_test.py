import io
import types

import numpy as np
import PIL.Image
import pytest

from tests.evaluation.fabricated import probabilities_of, scored_checkpoint
from vgg_slim.compat import tf
from vgg_slim.evaluation import outputs, results, validation
from vgg_slim.evaluation.class_map import ClassMap
from vgg_slim.plotting import confusion, samples
from vgg_slim.preprocessing import png_files

CLASSES = ClassMap(('cat', 'dog', 'owl'), np.arange(3))
LABELS = [0, 1, 2, 1]


@pytest.fixture
def drawn(monkeypatch):
  """Records the arguments of `draw_samples` and of `read_images`."""
  recorded = types.SimpleNamespace(captions=None, tiles=None, read=None)
  draw_samples = samples.draw_samples

  def draw(images, captions):
    recorded.tiles, recorded.captions = images, captions
    return draw_samples(images, captions)

  def read(shards, indices):
    recorded.read = (shards, list(indices))
    return [('', png_files.encode(np.full([40, 400, 3], 50 + i, np.uint8))) for i in indices]

  monkeypatch.setattr(samples, 'draw_samples', draw)
  monkeypatch.setattr(outputs, 'read_images', read)
  return recorded


def validate(predicted, confidence=0.9):
  scores = probabilities_of(predicted, confidence)
  scores[2] = probabilities_of([predicted[2]], 0.95)[0]
  scored = scored_checkpoint({('center', 64): scores}, LABELS, ('center',))
  evaluator = types.SimpleNamespace(score=lambda checkpoint, progress: scored)
  validator = validation.Validator(evaluator, scored.config, CLASSES, ['shard'])
  return validator.run('model.ckpt-9'), validator.summarize()


def test_the_most_confident_error_comes_first_with_both_class_names(drawn):
  result, summary = validate([0, 2, 1, 1])
  assert result.top_1_accuracy == 0.5
  assert [value.tag for value in summary.value] == ['confusion', 'most_confident_errors']
  assert drawn.read == (['shard'], [2, 1])
  assert drawn.captions == ['owl,\npredicted 95% as\ndog', 'dog,\npredicted 90% as\nowl']
  assert [(tile.shape, tile.max()) for tile in drawn.tiles] == [
    ((16, 160, 3), 52),
    ((16, 160, 3), 51),
  ]
  for value in summary.value:
    image = PIL.Image.open(io.BytesIO(value.image.encoded_image_string))
    assert image.size == (value.image.width, value.image.height)


def test_without_errors_there_is_no_grid(drawn):
  _, summary = validate(LABELS)
  assert [value.tag for value in summary.value] == ['confusion']
  assert drawn.read is None


def test_a_confusion_matrix_of_too_many_classes_is_not_drawn(drawn, monkeypatch):
  monkeypatch.setattr(confusion, 'MAX_CLASSES', 2)
  _, summary = validate([0, 2, 1, 1])
  assert [value.tag for value in summary.value] == ['most_confident_errors']


def test_events_hold_numbers_and_images(drawn, tmp_path):
  scored = scored_checkpoint({('center', 64): probabilities_of([0, 2, 2, 1])}, LABELS, ('center',))
  line = results.combine([scored], 'center')
  validation.write_events(str(tmp_path), line, CLASSES, ['shard'])
  (path,) = tmp_path.iterdir()
  values = {
    value.tag: (event.step, value)
    for event in tf.train.summary_iterator(str(path))
    for value in event.summary.value
  }
  numbers = {'accuracy', 'balanced_accuracy', 'macro_f1', 'loss'}
  assert set(values) == {*numbers, 'confusion', 'most_confident_errors'}
  assert values['balanced_accuracy'][1].simple_value == pytest.approx(5 / 6)
  assert {step for step, _ in values.values()} == {9}
  assert values['accuracy'][1].simple_value == 0.75
