import pytest

from vgg_slim.compat import tf
from vgg_slim.op_errors import reason


@pytest.mark.parametrize(
  ('build', 'expected'),
  [
    (
      lambda path: tf.io.decode_jpeg(b'\xff\xd8\xff\xe0abc'),
      'jpeg::Uncompress failed. Invalid JPEG data or crop window',
    ),
    (
      lambda path: tf.data.TFRecordDataset(path).make_one_shot_iterator().get_next(),
      'corrupted record at 0 (Is this even a TFRecord file?)',
    ),
    (
      lambda path: tf.check_numerics(tf.constant(float('nan')), 'the loss'),
      'the loss : Tensor had NaN values',
    ),
    (lambda path: tf.io.read_file(f'{path}.x'), '.x; No such file or directory'),
  ],
)
def test_the_reason_is_found_in_the_trace_of_a_graph(tmp_path, build, expected):
  path = tmp_path / 'a.tfrecord'
  path.write_bytes(b'not a record, but long enough to be read as one')
  with tf.Graph().as_default(), tf.Session() as session:
    tensor = build(str(path))
    with pytest.raises(tf.errors.OpError) as caught:
      session.run(tensor)
  assert caught.value.message.startswith('Graph execution error:')
  assert reason(caught.value).endswith(expected)


@pytest.mark.parametrize(
  ('message', 'expected'),
  [
    ('OOM when allocating tensor.\nHint: x', 'OOM when allocating tensor'),
    ("Graph execution error:\n\nNode: 'a/b'\nno trace", 'no trace'),
    ('', 'DataLossError'),
  ],
)
def test_errors_without_a_trace_have_a_reason_too(message, expected):
  assert reason(tf.errors.DataLossError(None, None, message)) == expected
