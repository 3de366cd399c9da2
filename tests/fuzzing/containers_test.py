import gzip
import io
import random
import struct
import tarfile
import zipfile

import numpy as np
import PIL.Image
import pytest

from tests.fuzzing import containers
from vgg_slim.data import record_framing
from vgg_slim.preprocessing import png_files

DRAW = random.Random(0)


def same(content, _):
  return content


def exchange(content, _):
  return content.replace(b'cat', b'dog')


def test_the_content_of_a_gzip_file_is_damaged():
  damaged = containers.in_gzip(exchange)(gzip.compress(b'a cat'), DRAW)
  assert gzip.decompress(damaged) == b'a dog'


def test_the_checksum_of_a_member_of_a_zip_archive_is_right_again():
  buffer = io.BytesIO()
  with zipfile.ZipFile(buffer, 'w') as archive:
    archive.writestr('a', 'a cat')
  damaged = containers.in_zip(exchange)(buffer.getvalue(), DRAW)
  assert zipfile.ZipFile(io.BytesIO(damaged)).read('a') == b'a dog'


def test_the_checksum_of_a_header_of_a_tar_archive_is_right_again():
  buffer = io.BytesIO()
  with tarfile.open(fileobj=buffer, mode='w') as archive:
    archive.addfile(tarfile.TarInfo('cat.png'))
  assert containers.in_tar(same)(buffer.getvalue(), DRAW) == buffer.getvalue()
  damaged = containers.in_tar(exchange)(buffer.getvalue(), DRAW)
  with tarfile.open(fileobj=io.BytesIO(damaged)) as archive:
    assert archive.getnames() == ['dog.png']


def test_the_checksum_of_a_record_is_right_again(tmp_path):
  content = b''.join(map(record_framing.frame, (b'cat', b'cat')))
  (tmp_path / 'x').write_bytes(containers.in_records(exchange)(content, DRAW))
  records = [record_framing.read_record(tmp_path / 'x', offset) for offset in (0, 19)]
  assert sorted(records) == [b'cat', b'dog']


def test_the_pixels_and_checksums_of_png_chunks():
  pixels = np.zeros([8, 8], np.uint8)
  content = png_files.encode(pixels)
  assert containers.in_png(same)(content, DRAW)[:40] == content[:40]

  def invert(data, _):
    return data.replace(b'\0\0\0\0', b'\0\1\1\1')

  seen = set()
  for seed in range(30):
    damaged = containers.in_png(invert)(content, random.Random(seed))
    try:
      seen.add(int(np.asarray(PIL.Image.open(io.BytesIO(damaged))).max()))
    except (OSError, SyntaxError):  # another chunk, or the compressed pixels
      continue
  assert 0 in seen and len(seen) > 1


def test_the_checksum_of_a_block_of_a_table_is_right_again():
  block = b'\0\1\3kcat' + struct.pack('<II', 0, 1)
  index = b'\0\1\2z\0' + bytes([len(block)]) + struct.pack('<II', 0, 1)

  def stored(content):
    return content + b'\0' + struct.pack('<I', record_framing.masked_crc32c(content + b'\0'))

  footer = (
    bytes([0, 0, len(stored(block)), len(index)]).ljust(40, b'\0') + b'\x57\xfb\x80\x8b$uG\xdb'
  )
  content = stored(block) + stored(index) + footer
  damaged = containers.in_table(exchange)(content, DRAW)
  assert damaged == content.replace(stored(block), stored(block.replace(b'cat', b'dog')))


@pytest.mark.parametrize('seed', range(5))
def test_the_length_of_a_safetensors_header_is_right_again(seed):
  header = b'{"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}'
  content = len(header).to_bytes(8, 'little') + header + bytes(4)
  damaged = containers.in_safetensors(content, random.Random(seed))
  assert int.from_bytes(damaged[:8], 'little') == len(damaged) - 12
