"""One photograph in many encodings is one image to the converter, to predict and to exports."""

import io

import numpy as np
import pytest
from PIL import Image
from sklearn import datasets

from tests.preprocessing import deep_files
from tests.testing import graph_session
from vgg_slim.compat import tf
from vgg_slim.data import example_proto, manifest
from vgg_slim.data.conversion import converter
from vgg_slim.data.conversion.splitting import SplitRule
from vgg_slim.data.sources import catalog, image_files
from vgg_slim.preprocessing import graph_decoding, host

RGB = np.asarray(Image.fromarray(datasets.load_sample_image('china.jpg')).resize((160, 107)))
IMAGE = Image.fromarray(RGB)
GRAY = np.asarray(IMAGE.convert('L'))
DEEP = RGB.astype(np.uint16)
DEEP_GRAY = GRAY.astype(np.uint16)


def save(image, image_format, **options):
  stream = io.BytesIO()
  image.save(stream, image_format, **options)
  return stream.getvalue()


# Name -> content, the pixels it stands for, and the mean difference, of 255, that its compression
# may cause: at most twice the measured one.
ENCODINGS = {
  'baseline.jpg': (save(IMAGE, 'JPEG', quality=95), RGB, 5),
  'progressive.jpg': (save(IMAGE, 'JPEG', quality=95, progressive=True), RGB, 5),
  'full_chroma.jpg': (save(IMAGE, 'JPEG', quality=95, subsampling=0), RGB, 3),
  'cmyk.jpg': (save(IMAGE.convert('CMYK'), 'JPEG', quality=95), RGB, 5),
  'gray.jpg': (save(Image.fromarray(GRAY), 'JPEG', quality=95), GRAY, 3),
  '8_bit.png': (save(IMAGE, 'PNG'), RGB, 0),
  '16_bit.png': (deep_files.png(DEEP * 257), RGB, 0),
  '16_bit_interlaced.png': (deep_files.png(DEEP * 257, interlaced=True), RGB, 0),
  '16_bit_gray.png': (deep_files.png(DEEP_GRAY * 257), GRAY, 0),
  '10_bit_of_16.png': (deep_files.png(DEEP * 4 + 3, sbit=[10, 10, 10]), RGB, 0),
  'palette.png': (save(IMAGE.quantize(256), 'PNG'), RGB, 5),
  '8_bit.tif': (save(IMAGE, 'TIFF'), RGB, 0),
  '16_bit.tif': (deep_files.tiff(DEEP * 257, is_compressed=True), RGB, 0),
  '12_bit_of_16.tif': (
    save(Image.fromarray(DEEP_GRAY * 16 + 15), 'TIFF', tiffinfo={341: 4095}),
    GRAY,
    0,
  ),
  '12_bit.tif': (deep_files.tiff_12_bit(DEEP_GRAY * 16 + 15), GRAY, 0),
  'lossless.webp': (save(IMAGE, 'WEBP', lossless=True), RGB, 0),
  'x.bmp': (save(IMAGE, 'BMP'), RGB, 0),
  'x.gif': (save(IMAGE.quantize(256), 'GIF'), RGB, 5),
  'x.ppm': (save(IMAGE, 'PPM'), RGB, 0),
  '16_bit.pgm': (b'P5 160 107 65535 ' + (DEEP_GRAY * 257).astype('>u2').tobytes(), GRAY, 0),
  'lossless.jp2': (save(IMAGE, 'JPEG2000'), RGB, 0),
  'x.tga': (save(IMAGE, 'TGA'), RGB, 0),
}
READ_IN_GRAPH = ('.jpg', '.png', '.gif', '.bmp')


def difference(pixels, expected):
  """Mean difference of RGB pixels from the image that they stand for."""
  expected = expected if expected.ndim == 3 else expected[..., np.newaxis]
  return np.abs(pixels.astype(int) - expected).mean()


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  folder = tmp_path_factory.mktemp('photographs')
  for name, (content, *_) in ENCODINGS.items():
    for class_name in 'ab':
      (folder / class_name).mkdir(exist_ok=True)
      (folder / class_name / name).write_bytes(content)
  return folder


def test_records_and_predict_hold_the_same_pixels(folder, tmp_path):
  source = catalog.open_source('folder', folder)
  written = converter.convert(source, tmp_path / 'out', converter.Options(SplitRule(0)))
  assert written.splits['train'].num_examples == 2 * len(ENCODINGS) >= 32
  assert not (tmp_path / 'out' / 'quarantine.csv').exists()
  for path in manifest.shard_paths(tmp_path / 'out', written, 'train'):
    for record in tf.io.tf_record_iterator(path):
      features = tf.train.Example.FromString(record).features.feature
      name = features[example_proto.FILENAME].bytes_list.value[0].decode()
      stored = features[example_proto.ENCODED].bytes_list.value[0]
      _, expected, tolerance = ENCODINGS[name.split('/')[1]]
      assert difference(host.decode_rgb(stored), expected) <= tolerance, name
      read = image_files.read_file(str(folder / name), written.stored_side, written.pixel_range)
      assert read.encoded == stored, name


def test_an_export_sees_the_same_pixels_or_refuses():
  refused = set()
  with graph_session() as session:
    encoded = tf.placeholder(tf.string, [])
    pixels = graph_decoding.build_pixels(encoded)
    for name, (content, expected, tolerance) in ENCODINGS.items():
      try:
        got = session.run(pixels, {encoded: content})
      except tf.errors.InvalidArgumentError:
        refused.add(name)
      else:
        assert difference(got, expected) <= tolerance, name
  assert refused == {name for name in ENCODINGS if not name.endswith(READ_IN_GRAPH)}
