from vgg_slim.data import path_hints


def test_images_are_found_as_deep_as_the_converter_expects_them(tmp_path):
  folder = tmp_path / 'train' / 'cat' / 'more'
  folder.mkdir(parents=True)
  (folder / '0.png').touch()
  assert path_hints.conversion(tmp_path) == ''
  (folder.parent / '0.png').touch()
  assert path_hints.conversion(tmp_path)
