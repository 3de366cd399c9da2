from vgg_slim.scopes import is_under


def test_whole_path_components_are_compared():
  assert is_under('vgg_16/fc8/weights', ['vgg_16/fc8'])
  assert is_under('vgg_16/fc8', ['other', 'vgg_16/fc8'])
  assert not is_under('vgg_16/fc8_new/weights', ['vgg_16/fc8'])
  assert not is_under('vgg_16/fc8/weights', ['fc8'])
  assert not is_under('vgg_16', [])
