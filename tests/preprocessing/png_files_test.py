import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from tests.data import fabricated
from vgg_slim.errors import DataError
from vgg_slim.preprocessing import png_files

RGB = fabricated.pixels(0)
PNG = fabricated.encoded(RGB)
AFTER_HEADER = 33  # signature and IHDR


def with_chunk(kind, data=b'x', checksum=None):
  """Returns PNG with one more chunk after its header."""
  checksum = zlib.crc32(kind + data) if checksum is None else checksum
  chunk = struct.pack('>I', len(data)) + kind + data + struct.pack('>I', checksum)
  return PNG[:AFTER_HEADER] + chunk + PNG[AFTER_HEADER:]


def test_a_round_trip_is_exact_and_keeps_gray_to_one_channel():
  for array, mode in ((RGB, 'RGB'), (fabricated.pixels(1, channels=1), 'L')):
    image = Image.open(io.BytesIO(png_files.encode(array)))
    assert (image.format, image.mode) == ('PNG', mode)
    np.testing.assert_array_equal(np.asarray(image), array)


def test_an_intact_file_stays_as_it_is():
  for data in (PNG, with_chunk(b'tEXt', b'a\0b'), PNG + b'more'):
    assert png_files.repair(data) == (data, [])


@pytest.mark.parametrize('kind', [b'tEXt', b'iCCP', b'gAMA', b'eXIf', b'fcTL'])
def test_a_damaged_chunk_that_no_decoder_needs_is_removed(kind):
  fix = f'PNG chunk {kind.decode()} with a wrong checksum removed'
  assert png_files.repair(with_chunk(kind, checksum=7)) == (PNG, [fix])


@pytest.mark.parametrize('kind', [b'PLTE', b'tRNS'])
def test_a_damaged_chunk_that_changes_pixels_is_refused(kind):
  with pytest.raises(DataError, match=f'chunk {kind.decode()} has a wrong checksum'):
    png_files.repair(with_chunk(kind, checksum=7))


@pytest.mark.parametrize('size', [20, len(PNG) - 1, len(PNG) - 12])
def test_a_file_without_its_end_is_refused(size):
  with pytest.raises(DataError, match='truncated PNG file'):
    png_files.repair(PNG[:size])


def test_texts_are_removed_and_nothing_else():
  for kind in (b'tEXt', b'zTXt', b'iTXt', b'iCCP'):
    assert png_files.remove_texts(with_chunk(kind))[0] == PNG
  assert png_files.remove_texts(with_chunk(b'eXIf')) == (with_chunk(b'eXIf'), [])
