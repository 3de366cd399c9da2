import numpy as np
import pytest

from vgg_slim.compat import tf
from vgg_slim.data import record_framing

# Around the lanes of 512 bytes, and blocks of 16 lanes, in which the checksum is computed.
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


def test_checksum_of_rfc_3720():
  # RFC 3720, B.4: the CRC-32C of 32 zeros is 0x8a9136aa. The mask is computed by hand.
  crc = 0x8A9136AA
  expected = ((crc >> 15) + (crc << 17) % 2**32 + 0xA282EAD8) % 2**32
  assert record_framing.masked_crc32c(bytes(32)) == expected


def test_reads_what_tensorflow_writes(written):
  path, records = written
  frames = list(record_framing.iterate_records(path))
  assert [record for _, record in frames] == records
  assert [record_framing.read_record(path, offset) for offset, _ in frames] == records


def test_frames_equal_those_of_tensorflow(written):
  path, records = written
  assert b''.join(map(record_framing.frame, records)) == path.read_bytes()


def test_a_flipped_bit_is_detected(written):
  path, _ = written
  offsets = [offset for offset, _ in record_framing.iterate_records(path)]
  data = bytearray(path.read_bytes())
  data[-1000] ^= 4
  path.write_bytes(data)
  with pytest.raises(OSError, match=f'records, byte {offsets[-1]}: the record is damaged'):
    record_framing.read_record(path, offsets[-1])
  record_framing.read_record(path, offsets[-2])


@pytest.mark.parametrize(
  ('cut', 'message'),
  [
    (slice(None, -1), 'ends inside a record'),
    (slice(None, 20), 'byte 16: not an uncompressed TFRecord'),
    (slice(1, None), 'byte 0: not an uncompressed TFRecord'),
  ],
)
def test_truncated_files_are_refused(written, cut, message):
  path, _ = written
  path.write_bytes(path.read_bytes()[cut])
  with pytest.raises(OSError, match=message):
    list(record_framing.iterate_records(path))
