"""A folder of odd and broken files: what becomes of each."""

import csv
import io
import os
import re
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from tests.data import fabricated
from tests.testing import graph_session
from vgg_slim.compat import tf
from vgg_slim.data import example_proto, manifest
from vgg_slim.data.conversion import converter
from vgg_slim.data.conversion.splitting import SplitRule
from vgg_slim.data.sources import catalog
from vgg_slim.preprocessing import graph_decoding, host

pytestmark = pytest.mark.timeout(1800)

RGB = (np.add.outer(np.arange(24) * 4, np.arange(32) * 3)[..., np.newaxis] + (0, 30, 60)).astype(
  np.uint8
)
GREY = RGB[..., 0]
IMAGE = Image.fromarray(RGB)
NUM_GOOD = 4  # plain pictures in each of the two classes, besides the odd ones

KEPT, SEEN_NOT = 'kept', 'not seen'


def mended(*what):
  return ('mended', *what)


def left_out(reason):
  return ('left out', reason)


def save(image=IMAGE, image_format='PNG', more=(), **options):
  stream = io.BytesIO()
  if more:
    options = {'save_all': True, 'append_images': [frame.copy() for frame in more], **options}
  # Copies, as Pillow leaves the options of one format on a picture for the next.
  image.copy().save(stream, image_format, **options)
  return stream.getvalue()


def with_orientation(orientation, image_format):
  exif = IMAGE.getexif()
  exif[0x0112] = orientation
  return save(image_format=image_format, exif=exif)


def png(width, height, depth, colour_type, rows):
  """A PNG file of these raw rows, each with its filter byte."""
  header = struct.pack('>IIBBBBB', width, height, depth, colour_type, 0, 0, 0)
  chunks = ((b'IHDR', header), (b'IDAT', zlib.compress(rows)), (b'IEND', b''))
  return b'\x89PNG\r\n\x1a\n' + b''.join(
    struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
    for kind, data in chunks
  )


def flipped(data, at):
  return data[:at] + bytes((data[at] ^ 0xFF,)) + data[at + 1 :]


JPEG, PNG = save(image_format='JPEG'), save()
FRAMES = [Image.fromarray(np.roll(RGB, shift, axis=1)) for shift in (5, 9)]
PALETTE = IMAGE.quantize(16)
CMYK = save(IMAGE.convert('CMYK'), 'JPEG')
ADOBE = CMYK.index(b'Adobe')
DEEP_ROWS = b''.join(b'\0' + row.astype('>u2').tobytes() for row in RGB.astype(int) * 257 + 9)

# File name below class folder a -> content, outcome.
ODD_FILES = {
  # Read by every decoder: the bytes go in untouched.
  'progressive.jpg': (save(image_format='JPEG', progressive=True), KEPT),
  'grey.jpg': (save(Image.fromarray(GREY), 'JPEG'), KEPT),
  'no_chroma_loss.jpg': (save(image_format='JPEG', subsampling=0), KEPT),
  'restart_markers.jpg': (save(image_format='JPEG', restart_marker_blocks=2), KEPT),
  'upright_by_exif.jpg': (with_orientation(1, 'JPEG'), KEPT),
  'broken_exif.jpg': (save(image_format='JPEG', exif=b'Exif\0\0II*\0\xff\xff\xff\xff'), KEPT),
  'more_behind.jpg': (JPEG + b'more', KEPT),
  'two_pictures.jpg': (save(image_format='MPO', more=FRAMES), KEPT),
  'LOUD.JPEG': (save(image_format='JPEG', quality=60), KEPT),
  'no extension': (save(image_format='JPEG', quality=61), KEPT),
  '\u00fcber \u732b.png': (save(compress_level=1), KEPT),
  'caf\udce9.png': (save(compress_level=2), KEPT),
  'deep/er/x.png': (save(compress_level=3), KEPT),
  'one_pixel.png': (save(Image.new('RGB', (1, 1))), KEPT),
  'a_line.png': (save(Image.new('RGB', (3000, 1))), KEPT),
  # The extension lies: the content counts.
  'png_named.jpg': (save(compress_level=4), mended('PNG file named .jpg')),
  'jpeg_named.png': (save(image_format='JPEG', quality=62), mended('JPEG file named .png')),
  'webp_named.jpg': (
    save(image_format='WEBP', lossless=True),
    mended('WEBP file named .jpg', 'WEBP file'),
  ),
  # Mended.
  'cmyk.jpg': (CMYK, mended('CMYK')),
  'ycck.jpg': (CMYK[: ADOBE + 11] + b'\x02' + CMYK[ADOBE + 12 :], mended('CMYK')),
  'rotated.jpg': (with_orientation(6, 'JPEG'), mended('EXIF rotation')),
  'mirrored.png': (with_orientation(2, 'PNG'), mended('EXIF rotation')),
  'deep_grey.png': (save(Image.fromarray(GREY.astype(np.uint16) * 257)), mended('16 bit')),
  'deep_rgb.png': (png(32, 24, 16, 2, DEEP_ROWS), mended('16 bit')),
  'palette.png': (save(PALETTE), mended('palette')),
  'palette_alpha.png': (save(PALETTE, transparency=bytes(range(16))), mended('palette', 'alpha')),
  'alpha.png': (save(IMAGE.convert('RGBA')), mended('alpha')),
  'grey_alpha.png': (save(Image.fromarray(GREY).convert('LA')), mended('alpha')),
  'colour_key.png': (save(transparency=(0, 30, 60)), mended('alpha')),
  'one_bit.png': (save(IMAGE.convert('1')), mended('1 bit')),
  'moving.png': (
    save(more=FRAMES),
    mended('first of several frames'),
  ),
  'still.gif': (save(PALETTE, 'GIF'), mended('GIF file', 'palette')),
  'moving.gif': (
    save(PALETTE, 'GIF', more=FRAMES),
    mended('GIF file', 'first of several frames', 'palette'),
  ),
  'moving.webp': (
    save(image_format='WEBP', more=FRAMES),
    mended('WEBP file', 'first of several frames'),
  ),
  'x.bmp': (save(image_format='BMP'), mended('BMP file')),
  'x.tga': (save(image_format='TGA'), mended('TGA file')),
  'x.ppm': (save(image_format='PPM'), mended('PPM file')),
  'x.tif': (save(image_format='TIFF'), mended('TIFF file')),
  'pages.tiff': (
    save(image_format='TIFF', more=FRAMES),
    mended('TIFF file', 'first of several frames'),
  ),
  'deep.tif': (
    save(Image.fromarray(GREY.astype(np.uint16) * 256), 'TIFF'),
    mended('TIFF file', '16 bit'),
  ),
  'cmyk.tif': (save(IMAGE.convert('CMYK'), 'TIFF'), mended('TIFF file', 'CMYK')),
  # Beyond repair.
  'empty.jpg': (b'', left_out('the file is empty')),
  'zeros.jpg': (bytes(4096), left_out('not an image that Pillow can read')),
  'words.jpg': (b'<html>404 Not Found</html>', left_out('not an image that Pillow can read')),
  'drawing.png': (b'<svg xmlns="http://www.w3.org/2000/svg"/>', left_out('not an image')),
  'program.jpg': (b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n', left_out('not an image')),
  'phone.heic': (b'\0\0\0\x18ftypheic\0\0\0\0mif1heic', left_out('not an image')),
  'half.jpg': (JPEG[: len(JPEG) // 2], left_out('Truncated File Read')),
  'no_end.jpg': (JPEG[:-2], left_out('truncated')),
  'header_only.jpg': (JPEG[:20], left_out('.')),
  'half.png': (PNG[: len(PNG) // 2], left_out('truncated')),
  'no_end.png': (PNG[:-12], left_out('truncated PNG file')),
  'bad_sum.png': (flipped(PNG, PNG.index(b'IEND') - 5), left_out('IDAT')),
  'half.gif': (save(PALETTE, 'GIF')[:60], left_out('.')),
  'float.tif': (fabricated.encoded(np.ones((3, 4), np.float32), 'TIFF'), left_out("mode 'F'")),
  'bomb.png': (png(60_000, 60_000, 8, 2, b''), left_out('decompression bomb')),
  'no_width.png': (png(0, 9, 8, 2, b''), left_out('.')),
  # No pictures, by name and first bytes.
  'notes.txt': (b'x', SEEN_NOT),
  'Thumbs.db': (b'\xd0\xcf\x11\xe0', SEEN_NOT),
  '.hidden.png': (PNG, SEEN_NOT),
}


REFUSED_IN_GRAPH = {
  'webp_named.jpg',
  'moving.webp',
  'x.tga',
  'x.ppm',
  'x.tif',
  'pages.tiff',
  'deep.tif',
  'cmyk.tif',
}


@pytest.fixture(scope='module')
def converted(tmp_path_factory):
  """Converts the odd files; returns (folder of the files, folder of the data set)."""
  root = tmp_path_factory.mktemp('odd')
  photos = fabricated.write_image_folder(root / 'photos', {'a': NUM_GOOD, 'b': NUM_GOOD})
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
  """{name: features} of the data set; names as bytes."""
  _, data_dir = converted
  found = {}
  for path in manifest.shard_paths(data_dir, manifest.read_manifest(data_dir), 'train'):
    for record in tf.io.tf_record_iterator(path):
      features = tf.train.Example.FromString(record).features.feature
      found[features[example_proto.FILENAME].bytes_list.value[0]] = features
  return found


def rows_of(path):
  with path.open(encoding='utf-8', newline='') as stream:
    rows = list(csv.reader(stream))[1:]
  found = {}
  for name, _, text in rows:
    found.setdefault(name.encode(), []).append(text)
  return found


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
      got = mended(*fixed[key]) if key in fixed else KEPT
      renamed_only = got[0] == 'mended' and len(got) == 2 and 'named' in got[1]
      assert (stored == content) == (got == KEPT or renamed_only), name
    elif key in quarantined:
      (reason,) = quarantined[key]
      matches = expected[0] == 'left out' and re.search(expected[1], reason)
      got = expected if matches else left_out(reason)
    else:
      got = SEEN_NOT
    if got != expected:
      wrong.append((name, got, expected))
  assert not wrong
  assert len(ODD_FILES) >= 40


def test_links_and_pipes(converted, records):
  _, data_dir = converted
  quarantined = rows_of(data_dir / 'quarantine.csv')
  assert b'a/link.png' in records
  assert 'No such file' in quarantined[b'a/gone.png'][0]
  assert quarantined[b'a/pipe.jpg'] == ['not a regular file']
  assert not [name for name in records if b'/loop/' in name]


@pytest.mark.filterwarnings('ignore:Corrupt EXIF data')
def test_every_record_decodes_alike_everywhere(records):
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
    ('deep_grey.png', GREY, 0),
    ('deep.tif', GREY, 0),
    ('alpha.png', RGB, 0),
    ('grey_alpha.png', GREY, 0),
    ('x.bmp', RGB, 0),
    ('x.tif', RGB, 0),
    ('pages.tiff', RGB, 0),
    ('moving.png', RGB, 0),
    ('mirrored.png', RGB[:, ::-1], 0),
    ('webp_named.jpg', RGB, 0),
    # One or two passes of JPEG at quality 75 on smooth colours.
    ('rotated.jpg', np.rot90(RGB, -1), 12),
    ('cmyk.jpg', RGB, 12),
  ],
)
def test_mended_pictures_show_what_was_meant(records, name, pixels, atol):
  data = records[key_of(name)][example_proto.ENCODED].bytes_list.value[0]
  got = np.asarray(Image.open(io.BytesIO(data)))
  np.testing.assert_allclose(got.astype(int), pixels.astype(int), atol=atol)


def test_the_report_names_all_of_it(converted):
  _, data_dir = converted
  text = (data_dir / 'report.html').read_text(encoding='utf-8')
  for words in ('EXIF rotation', 'truncated PNG file', 'a/bomb.png', 'a/Thumbs.db', 'a/alpha.png'):
    assert words in text


def test_in_the_graph_they_are_the_same_or_refused():
  """What an export that is given raw files makes of them."""
  refused = set()
  with graph_session() as session:
    encoded = tf.placeholder(tf.string, [])
    pixels = graph_decoding.build_pixels(encoded)
    for name, (data, outcome) in ODD_FILES.items():
      if outcome is not KEPT and outcome[0] != 'mended':
        continue
      try:
        found = session.run(pixels, {encoded: data}).astype(int)
      except tf.errors.InvalidArgumentError:
        refused.add(name)
        continue
      stored = host.read_image(data)
      # A JPEG file that was repaired has been encoded again, at quality 95.
      tolerance = 6 if stored.image_format == 'jpeg' and stored.fixes else 0
      np.testing.assert_allclose(
        found, host.decode_rgb(stored.encoded), atol=tolerance, err_msg=name
      )
  assert refused == REFUSED_IN_GRAPH
