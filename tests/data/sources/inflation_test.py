import io
import zlib

import pytest

from vgg_slim.data.sources import inflation
from vgg_slim.errors import DataError


@pytest.fixture(autouse=True)
def _small(monkeypatch):
  monkeypatch.setattr(inflation, 'FLOOR', 500)


def deflate(data):
  compressor = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
  return compressor.compress(data) + compressor.flush()


def test_the_limit_is_a_multiple_of_the_compressed_size():
  assert inflation.limit(1) == 500
  assert inflation.limit(60) == 6000


def test_a_stream_is_read_up_to_the_limit():
  assert inflation.read(io.BytesIO(bytes(500)), 1) == bytes(500)
  with pytest.raises(DataError, match='1 bytes decompress to more than 500'):
    inflation.read(io.BytesIO(bytes(501)), 1)


def test_a_member_is_inflated_up_to_the_limit():
  assert inflation.inflate(deflate(b'abc' * 100)) == b'abc' * 100
  with pytest.raises(DataError, match='out of all proportion'):
    inflation.inflate(deflate(bytes(10**6)))
