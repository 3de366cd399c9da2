import numpy as np

from tests.export.fabricated import make_checkpoint, random_images
from vgg_slim.compat import tf
from vgg_slim.export import frozen, reload, tflite


def test_outputs_of_a_frozen_graph_are_found_by_name(tmp_path):
  with tf.Graph().as_default() as graph:
    images = tf.placeholder(tf.float32, [None, None, None, 3], 'images')
    tf.reduce_mean(images, [1, 2], name='logits')
    (tmp_path / frozen.FILE).write_bytes(graph.as_graph_def().SerializeToString())
  batch = random_images(2, 4, 5).astype('f')
  got = reload.load_frozen(tmp_path)(batch)
  assert list(got) == ['logits']
  np.testing.assert_allclose(got['logits'], batch.mean((1, 2)), rtol=1e-6)


def test_outputs_of_integers_are_dequantized(tmp_path):
  prefix, contract = make_checkpoint(tmp_path)
  tflite.write_int8(prefix, contract, tmp_path, list(random_images(4, 32, 32)))
  batch = random_images(1, 32, 32)
  got = reload.load_tflite(tmp_path)(batch)
  interpreter = tf.lite.Interpreter(str(tmp_path / tflite.FILE))
  interpreter.allocate_tensors()
  interpreter.set_tensor(interpreter.get_input_details()[0]['index'], batch)
  interpreter.invoke()
  for output in interpreter.get_output_details():
    scale, zero_point = output['quantization']
    steps = interpreter.get_tensor(output['index']).astype(int) - zero_point
    np.testing.assert_allclose(got[output['name']], steps * scale, rtol=1e-6)
