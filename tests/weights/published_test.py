import importlib.util
import inspect
import pathlib
import re

import keras
import numpy as np
import pytest
from keras.src.applications import resnet, vgg16, vgg19

from vgg_slim.errors import ConfigError
from vgg_slim.nets import specs
from vgg_slim.weights import published


def named(name):
  return next(file for file in published.FILES if file.name == name)


def test_names_and_addresses_are_unique_and_of_known_networks():
  assert len({file.name for file in published.FILES}) == len(published.FILES)
  assert len({file.url for file in published.FILES}) == len(published.FILES)
  for file in published.FILES:
    assert file.model in specs.NETWORKS
    assert file.url.startswith('https://')
    assert file.checksum is None or re.fullmatch(
      r'md5:[0-9a-f]{32}|sha256:[0-9a-f]{8}', file.checksum
    )
    assert (file.checksum is None) == (file.publisher is published.SLIM)


def test_addresses_and_checksums_of_keras_are_those_in_its_source():
  expected = {}
  for module in (vgg16, vgg19):
    checksums = re.findall(r'file_hash="(\w+)"', inspect.getsource(module))
    for url, md5 in zip((module.WEIGHTS_PATH, module.WEIGHTS_PATH_NO_TOP), checksums, strict=True):
      expected[url] = f'md5:{md5}'
  for ending, md5 in zip(('', '_notop'), resnet.WEIGHTS_HASHES['resnet50'], strict=True):
    name = f'resnet50_weights_tf_dim_ordering_tf_kernels{ending}.h5'
    expected[f'{resnet.BASE_WEIGHTS_PATH}{name}'] = f'md5:{md5}'
  files = [file for file in published.FILES if file.publisher is published.KERAS]
  assert {file.url: file.checksum for file in files} == expected
  assert all(file.has_head == ('notop' not in file.url) for file in files)


def test_addresses_and_sizes_of_torchvision_are_those_in_its_source():
  found = importlib.util.find_spec('torchvision')  # does not import it, which takes seconds
  if found is None:
    pytest.skip('torchvision is not installed')
  folder = pathlib.Path(found.origin).parent
  source = ''.join((folder / 'models' / f'{name}.py').read_text() for name in ('vgg', 'resnet'))
  rows = re.findall(r'url="([^"]+)".*?"_file_size": ([\d.]+)', source, re.DOTALL)
  sizes = {url: float(mebibytes) * 2**20 / 1e6 for url, mebibytes in rows}
  files = [file for file in published.FILES if file.publisher is published.TORCHVISION]
  for file in files:
    assert file.megabytes == pytest.approx(sizes[file.url])
  presets = (folder / 'transforms' / '_presets.py').read_text()
  for name, ours in (('mean', files[0].publisher.rgb_mean), ('std', files[0].publisher.rgb_std)):
    theirs = re.search(
      rf'class ImageClassification.*?{name}: [^=]*= \(([^)]*)\)', presets, re.DOTALL
    )
    assert [255 * float(number) for number in theirs[1].split(',')] == pytest.approx(ours)


def test_input_of_keras_is_what_its_preprocessing_does():
  image = np.array([[[10.0, 20.0, 30.0]]], np.float32)  # R, G, B
  theirs = keras.applications.vgg16.preprocess_input(image.copy())
  publisher = published.KERAS
  ours = image - np.array(publisher.rgb_mean, np.float32)
  np.testing.assert_allclose(ours[..., ::-1] if publisher.bgr else ours, theirs, rtol=1e-6)
  assert publisher.rgb_std is None


@pytest.mark.parametrize(
  ('model', 'needs_head', 'name'),
  [
    ('vgg16', True, 'keras/vgg16'),
    ('vgg16', False, 'keras/vgg16_notop'),
    ('vgg_e', False, 'keras/vgg19_notop'),
    ('resnet50_keras', True, 'keras/resnet50'),
    ('vgg16_bn', False, 'torchvision/vgg16_bn'),
    ('vgg11', True, 'torchvision/vgg11'),
    ('resnet50_torchvision', True, 'torchvision/resnet50_v2'),
    ('resnet_v1_101', False, 'slim/resnet_v1_101'),
  ],
)
def test_imagenet_is_the_first_file_for_the_network(model, needs_head, name):
  assert published.choose('imagenet', model, needs_head).name == name


def test_a_name_is_that_file():
  assert published.choose('torchvision/vgg16', 'vgg16', True) == named('torchvision/vgg16')
  assert published.choose('keras/vgg16', 'vgg16', False) == named('keras/vgg16')


@pytest.mark.parametrize(
  ('weights', 'model', 'message'),
  [
    ('imagnet', 'vgg16', "--weights=imagnet is neither 'imagenet', a file, nor the name of"),
    ('imagenet', 'vgg_cifar', 'no weights are published for --model=vgg_cifar; .* vgg_a, vgg_a_bn'),
    ('keras/vgg19', 'vgg16', 'keras/vgg19 is for --model=vgg_e, not vgg16; expected keras/vgg16,'),
    ('keras/vgg16_notop', 'vgg16', 'keras/vgg16_notop lacks the head; expected keras/vgg16, torch'),
    ('keras/vgg16', 'vgg_c', 'is for --model=vgg_d, not vgg_c; no published weights fit'),
  ],
)
def test_what_does_not_fit_is_refused_with_what_does(weights, model, message):
  with pytest.raises(ConfigError, match=message):
    published.choose(weights, model, needs_head=True)
