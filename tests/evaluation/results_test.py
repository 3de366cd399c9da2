import dataclasses

import numpy as np
import pytest
from scipy import special

from tests.evaluation.fabricated import probabilities_of, scored_checkpoint
from vgg_slim.errors import DataError, NonFiniteError
from vgg_slim.evaluation import results

LABELS = [0, 1, 2, 1]
PASSES = {
  ('dense', 256): probabilities_of([0, 1, 2, 0]),
  ('dense', 384): probabilities_of([0, 2, 1, 0]),
  ('ten_crop', 256): probabilities_of([0, 1, 0, 1]),
  ('ten_crop', 384): probabilities_of([1, 1, 0, 1]),
}
VIEWS = ('dense', 'ten_crop', 'dense+ten_crop')


def test_views_scales_and_networks_have_equal_weight():
  one = scored_checkpoint(PASSES, LABELS, VIEWS)
  other = scored_checkpoint({key: p[:, ::-1] for key, p in PASSES.items()}, LABELS, VIEWS, 'vgg_e')
  line = results.combine([one, other], 'dense+ten_crop')
  mean = np.mean(list(PASSES.values()), axis=0)
  np.testing.assert_allclose(line.probabilities(), (mean + mean[:, ::-1]) / 2, rtol=1e-6)
  result = line.result
  assert (result.model, result.train_scale) == ('vgg_d + vgg_e', '256')
  assert result.checkpoint == 'runs/vgg_d/model.ckpt-9 + runs/vgg_e/model.ckpt-9'
  # Two networks, two scales, unflipped and flipped, one whole image and five crops.
  assert result.num_views == 2 * 2 * 2 * (1 + 5)
  assert result.images_per_second == pytest.approx(4 / (8 * 0.5))


def test_one_line_matches_hand_arithmetic():
  line = results.combine([scored_checkpoint(PASSES, LABELS, VIEWS)], 'dense', [256])
  assert list(line.hits) == [True, True, True, False]
  result = line.result
  assert (result.top_1_error, result.top_1_accuracy, result.top_5_error) == (0.25, 0.75, 0)
  assert result.top_1_interval[0] < 0.25 < result.top_1_interval[1]
  assert result.top_5_interval[0] == 0
  assert (result.test_scales, result.view, result.num_views, result.step) == ((256,), 'dense', 2, 9)


def test_scores_that_are_not_finite_are_refused():
  broken = {key: p * [[1], [1], [np.inf], [1]] for key, p in PASSES.items()}
  one = scored_checkpoint(broken, LABELS, VIEWS)
  with pytest.raises(NonFiniteError, match=r'^runs/vgg_d/model.ckpt-9 gives .* image number 2'):
    results.combine([one], 'dense')


def test_differences_between_networks_are_recorded():
  one = scored_checkpoint(PASSES, LABELS, VIEWS)
  other = dataclasses.replace(
    scored_checkpoint(PASSES, LABELS, VIEWS, 'vgg_e', flip=False), train_scale='[256;512]', step=7
  )
  result = results.combine([one, other], 'dense', [384, 256]).result
  assert (result.train_scale, result.test_scales) == ('256 + [256;512]', (256, 384))
  assert (result.flip, result.num_views, result.step) == (False, 2 * (2 + 1), 7)


def test_logits_are_averaged_before_the_softmax():
  logits = {('dense', q): np.log(p) * q / 100 for (v, q), p in PASSES.items() if v == 'dense'}
  scored = scored_checkpoint(logits, LABELS, ('dense',), average='logits')
  expected = special.softmax(np.mean(list(logits.values()), axis=0), axis=1)
  got = results.combine([scored], 'dense').probabilities()
  np.testing.assert_allclose(got, expected, rtol=1e-6)


def test_only_checkpoints_scored_on_the_same_images_can_be_fused():
  one = scored_checkpoint(PASSES, LABELS, VIEWS)
  other = scored_checkpoint(PASSES, LABELS[::-1], VIEWS)
  with pytest.raises(DataError, match='their labels differ'):
    results.combine([one, other], 'dense')
