"""Conversion of a folder of unusual and damaged files."""

import csv
import io
import os
import re

import numpy as np
import pytest
from PIL import Image

from tests.data import fabricated
from tests.joins.odd_files import (
  GRAY,
  IGNORED,
  KEPT,
  ODD_FILES,
  REFUSED_IN_GRAPH,
  RGB,
  left_out,
  repaired,
)
from tests.testing import graph_session
from vgg_slim.compat import tf
from vgg_slim.data import example_proto, manifest
from vgg_slim.data.conversion import converter
from vgg_slim.data.conversion.splitting import SplitRule
from vgg_slim.data.sources import catalog
from vgg_slim.preprocessing import graph_decoding, host

pytestmark = [
  pytest.mark.timeout(1800),
  # What Pillow says of the EXIF data of some of these files.
  pytest.mark.filterwarnings('ignore:Corrupt EXIF data:UserWarning'),
]

NUM_PLAIN = 4  # plain images in each of the two classes, besides the unusual ones


@pytest.fixture(scope='module')
def converted(tmp_path_factory):
  """Folders of the unusual files and of the data set that they were converted to."""
  root = tmp_path_factory.mktemp('odd')
  photos = fabricated.write_image_folder(root / 'photos', {'a': NUM_PLAIN, 'b': NUM_PLAIN})
  for name, (content, _) in ODD_FILES.items():
    path = photos / 'a' / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
  (photos / 'a' / 'link.png').symlink_to(photos / 'b' / '000.png')
  (photos / 'a' / 'gone.png').symlink_to(root / 'nowhere.png')
  (photos / 'a' / 'loop').symlink_to(photos / 'a')
  os.mkfifo(photos / 'a' / 'pipe.jpg')
  converter.convert(
    catalog.open_source('folder', photos), root / 'out', converter.Options(SplitRule(0))
  )
  return photos, root / 'out'


@pytest.fixture(scope='module')
def records(converted):
  """Features of the records in the data set by name, as bytes."""
  _, data_dir = converted
  records = {}
  for path in manifest.shard_paths(data_dir, manifest.read_manifest(data_dir), 'train'):
    for record in tf.io.tf_record_iterator(path):
      features = tf.train.Example.FromString(record).features.feature
      records[features[example_proto.FILENAME].bytes_list.value[0]] = features
  return records


def rows_of(path):
  with path.open(encoding='utf-8', newline='') as stream:
    rows = list(csv.reader(stream))[1:]
  texts = {}
  for name, _, text in rows:
    texts.setdefault(name.encode(), []).append(text)
  return texts


def key_of(name):
  return f'a/{name}'.encode('utf-8', 'backslashreplace')


def test_outcome_of_every_file(converted, records):
  photos, data_dir = converted
  fixed = rows_of(data_dir / 'fixed.csv')
  quarantined = rows_of(data_dir / 'quarantine.csv')
  wrong = []
  for name, (content, expected) in ODD_FILES.items():
    key = key_of(name)
    if key in records:
      stored = records[key][example_proto.ENCODED].bytes_list.value[0]
      got = repaired(*fixed[key]) if key in fixed else KEPT
      renamed_only = got[0] == 'repaired' and len(got) == 2 and 'named' in got[1]
      assert (stored == content) == (got == KEPT or renamed_only), name
    elif key in quarantined:
      (reason,) = quarantined[key]
      matches = expected[0] == 'left out' and re.search(expected[1], reason)
      got = expected if matches else left_out(reason)
    else:
      got = IGNORED
    if got != expected:
      wrong.append((name, got, expected))
  assert not wrong
  assert len(ODD_FILES) >= 40


def test_links_are_followed_and_pipes_left_out(converted, records):
  _, data_dir = converted
  quarantined = rows_of(data_dir / 'quarantine.csv')
  assert b'a/link.png' in records
  assert 'No such file' in quarantined[b'a/gone.png'][0]
  assert quarantined[b'a/pipe.jpg'] == ['not a regular file']
  assert not [name for name in records if b'/loop/' in name]


@pytest.mark.filterwarnings('ignore:Corrupt EXIF data')
def test_tensorflow_and_pillow_decode_every_record_alike(records):
  with tf.Graph().as_default(), tf.Session() as session:
    encoded = tf.placeholder(tf.string, [])
    decoded = tf.io.decode_jpeg(encoded, channels=3, dct_method='INTEGER_ACCURATE')
    for name, features in records.items():
      data = features[example_proto.ENCODED].bytes_list.value[0]
      image = Image.open(io.BytesIO(data))
      assert image.mode in ('L', 'RGB'), name
      assert image.getexif().get(0x0112, 1) == 1, name
      size = [features[key].int64_list.value[0] for key in ('image/height', 'image/width')]
      pixels = session.run(decoded, {encoded: data})
      assert list(pixels.shape) == [*size, 3], name
      np.testing.assert_array_equal(pixels, np.asarray(image.convert('RGB')), err_msg=str(name))


@pytest.mark.parametrize(
  ('name', 'pixels', 'atol'),
  [
    ('deep_rgb.png', RGB, 0),
    ('deep_gray.png', GRAY, 0),
    ('deep.tif', GRAY, 0),
    ('alpha.png', RGB, 0),
    ('gray_alpha.png', GRAY, 0),
    ('x.bmp', RGB, 0),
    ('x.tif', RGB, 0),
    ('pages.tiff', RGB, 0),
    ('animated.png', RGB, 0),
    ('mirrored.png', RGB[:, ::-1], 0),
    ('webp_named.jpg', RGB, 0),
    # Encoded once or twice as JPEG at quality 75, of smooth colors.
    ('rotated.jpg', np.rot90(RGB, -1), 12),
    ('cmyk.jpg', RGB, 12),
  ],
)
def test_repaired_images_have_the_intended_pixels(records, name, pixels, atol):
  data = records[key_of(name)][example_proto.ENCODED].bytes_list.value[0]
  got = np.asarray(Image.open(io.BytesIO(data)))
  np.testing.assert_allclose(got.astype(int), pixels.astype(int), atol=atol)


def test_the_report_lists_every_outcome(converted):
  _, data_dir = converted
  text = (data_dir / 'report.html').read_text(encoding='utf-8')
  for words in ('EXIF rotation', 'truncated PNG file', 'a/bomb.png', 'a/Thumbs.db', 'a/alpha.png'):
    assert words in text


def test_graph_decoding_gives_the_same_pixels_or_refuses():
  """Exports decode files in the graph."""
  refused = set()
  with graph_session() as session:
    encoded = tf.placeholder(tf.string, [])
    pixels = graph_decoding.build_pixels(encoded)
    for name, (data, outcome) in ODD_FILES.items():
      if outcome is not KEPT and outcome[0] != 'repaired':
        continue
      try:
        got = session.run(pixels, {encoded: data}).astype(int)
      except tf.errors.InvalidArgumentError:
        refused.add(name)
        continue
      stored = host.read_image(data)
      # A repaired JPEG file was encoded again, at quality 95.
      tolerance = 6 if stored.image_format == 'jpeg' and stored.fixes else 0
      np.testing.assert_allclose(got, host.decode_rgb(stored.encoded), atol=tolerance, err_msg=name)
  assert refused == REFUSED_IN_GRAPH
