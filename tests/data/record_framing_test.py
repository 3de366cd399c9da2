import numpy as np
import pytest

from vgg_slim.compat import tf
from vgg_slim.data import record_framing

# Around the lanes of 512 bytes, and the 16 of them, that the checksum goes by.
SIZES = (0, 1, 9, 511, 512, 513, 8191, 8192, 8193, 70_000)


@pytest.fixture
def written(tmp_path):
  """A file that TensorFlow wrote, and its records."""
  rng = np.random.default_rng(0)
  records = [rng.bytes(size) for size in SIZES]
  path = tmp_path / 'records'
  with tf.io.TFRecordWriter(str(path)) as writer:
    for record in records:
      writer.write(record)
  return path, records


def test_checksum_of_the_standard():
  # RFC 3720, B.4: CRC-32C of 32 zeros is 0x8a9136aa; its mask by hand.
  crc = 0x8A9136AA
  expected = ((crc >> 15) + (crc << 17) % 2**32 + 0xA282EAD8) % 2**32
  assert record_framing.masked_crc32c(bytes(32)) == expected


def test_reads_what_tensorflow_writes(written):
  path, records = written
  found = list(record_framing.iterate_records(path))
  assert [record for _, record in found] == records
  assert [record_framing.read_record(path, place) for place, _ in found] == records


def test_frames_are_tensorflows_byte_for_byte(written):
  path, records = written
  assert b''.join(map(record_framing.frame, records)) == path.read_bytes()


def test_a_flipped_bit_is_found(written):
  path, _ = written
  places = [place for place, _ in record_framing.iterate_records(path)]
  data = bytearray(path.read_bytes())
  data[-1000] ^= 4
  path.write_bytes(data)
  with pytest.raises(OSError, match=f'records, byte {places[-1]}: the checksum'):
    record_framing.read_record(path, places[-1])
  record_framing.read_record(path, places[-2])


@pytest.mark.parametrize(
  ('cut', 'message'),
  [
    (slice(None, -1), 'ends within a record'),
    (slice(None, 20), 'byte 16: no uncompressed TFRecord'),
    (slice(1, None), 'byte 0: no uncompressed TFRecord'),
  ],
)
def test_no_records_to_the_end(written, cut, message):
  path, _ = written
  path.write_bytes(path.read_bytes()[cut])
  with pytest.raises(OSError, match=message):
    list(record_framing.iterate_records(path))
