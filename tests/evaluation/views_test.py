import pytest

from vgg_slim.errors import ConfigError
from vgg_slim.evaluation import views


@pytest.mark.parametrize('scales', [[], [31], [36, 16], [32, 32769]])
def test_scales_out_of_range_are_refused(scales):
  with pytest.raises(ConfigError, match='at least image_size=32 and at most 32768 pixels'):
    views.check_test_scales(scales, image_size=32)


def test_scales_from_the_image_size_on_are_accepted():
  assert views.check_test_scales([32, 64], image_size=32) is None


def test_crops_are_those_of_the_papers():
  assert {name: views.num_crops(name) for name in views.VIEWS} == {
    'dense': 1,
    'center': 1,
    'ten_crop': 5,
    'multi_crop': 25,
  }
  assert views.VIEWS['center'] == ((0.5, 0.5),)
  # Krizhevsky et al. (2012), section 4.1: the corners and the center.
  corners = {(y, x) for y in (0, 1) for x in (0, 1)}
  assert set(views.VIEWS['ten_crop']) == corners | {(0.5, 0.5)}
  grid = views.VIEWS['multi_crop']
  assert grid == tuple((y / 4, x / 4) for y in range(5) for x in range(5))


def test_joined_views_are_scored_once():
  names = ('dense', 'multi_crop', 'dense+multi_crop', 'center')
  assert views.all_parts(names) == ('dense', 'multi_crop', 'center')


@pytest.mark.parametrize('names', [(), ('dense', 'crop'), ('dense+',)])
def test_unknown_views_are_refused(names):
  (problem,) = views.problems(names)
  assert 'expected one or more of dense, center, ten_crop, multi_crop' in problem


def test_known_views_have_no_problem():
  assert views.problems(('dense', 'center+ten_crop')) == []
