import numpy as np
import pytest

from tests.export.fabricated import check_outputs, expected_outputs, make_checkpoint, random_images
from vgg_slim.compat import load_tflite_schema, tf
from vgg_slim.export import reload, tflite

PREPROCESSING = {'ADD', 'MUL'}
SHAPE_OPERATIONS = {'SHAPE', 'TILE', 'STRIDED_SLICE', 'PACK', 'BROADCAST_TO', 'BROADCAST_ARGS'}


def interpreter_of(folder):
  return tf.lite.Interpreter(str(folder / tflite.FILE))


def operations(interpreter):
  return [details['op_name'] for details in interpreter._get_ops_details()]


def operations_outside_the_delegate(interpreter):
  """Returns the delegates' nodes and the operations that XNNPACK has left to the interpreter.

  A delegate's node replaces the nodes that compute its outputs from its inputs. The nodes that are
  run are found by walking back from the model's outputs.
  """
  interpreter.allocate_tensors()
  nodes = interpreter._get_ops_details()
  producers = {}
  for node in nodes:  # delegates come last, and replace the nodes that they run
    producers |= dict.fromkeys(map(int, node['outputs']), node)
  names, queue = {}, [details['index'] for details in interpreter.get_output_details()]
  while queue:
    node = producers.get(queue.pop())
    if node and node['index'] not in names:
      names[node['index']] = node['op_name']
      queue += map(int, node['inputs'])
  return sorted(names.values())


def select(expected, names):
  return {name: expected[name] for name in names}


@pytest.mark.parametrize(
  ('model', 'changes'),
  [
    ('vgg_a@4', {}),
    ('vgg_a_bn@32', {}),  # 256 channels in its 3x3 layers
    ('resnet50@4', {}),
    ('vgg_cifar@4', {'head': None}),
    ('vgg_a@4', {'num_classes': 2, 'class_names': None, 'classifier_activation': 'sigmoid'}),
  ],
)
def test_fixed_shape_runs_in_one_delegate(tmp_path, model, changes):
  changes = {'pixel_scale': (0.5, 0.4, 0.3), **changes}
  prefix, contract = make_checkpoint(tmp_path, model=model, **changes)
  tflite.write(prefix, contract, tmp_path)
  interpreter = interpreter_of(tmp_path)
  (images,) = interpreter.get_input_details()
  assert images['name'] == 'images'
  assert images['shape'].tolist() == images['shape_signature'].tolist() == [1, 32, 32, 3]
  names = ['probabilities', 'logits']
  assert [output['name'] for output in interpreter.get_output_details()] == names
  assert interpreter.get_signature_list() == {
    'serving_default': {'inputs': ['images'], 'outputs': sorted(names)}
  }
  kinds = operations(interpreter)
  assert SHAPE_OPERATIONS & set(kinds) == set()
  assert kinds[:2] == ['MUL', 'ADD']
  assert operations_outside_the_delegate(interpreter) == ['DELEGATE']
  batch = random_images(1, 32, 32)
  expected = select(expected_outputs(prefix, contract, batch), names)
  check_outputs(reload.load_tflite(tmp_path)(batch.astype('f')), expected)
  got = interpreter.get_signature_runner()(images=batch.astype('f'))
  check_outputs(got, expected)


@pytest.mark.parametrize('model', ['vgg_a@4', 'resnet50@4'])
def test_free_shape_at_several_sizes(tmp_path, model):
  prefix, contract = make_checkpoint(tmp_path, model=model)
  sizes = []
  # With 8-bit weights and activations, scores differ by a few percent of the largest score.
  for write, rtol in ((tflite.write, 1e-5), (tflite.write_dynamic, 0.1)):
    write(prefix, contract, tmp_path, is_fixed=False)
    sizes.append((tmp_path / tflite.FILE).stat().st_size)
    run = reload.load_tflite(tmp_path)
    for images in (random_images(1, 40, 64), random_images(2, 64, 64)):
      got = run(images.astype('f'))
      expected = select(
        expected_outputs(prefix, contract, images), tflite.list_outputs(contract, False)
      )
      if rtol > 1e-3:
        del got['probabilities'], expected['probabilities']
      check_outputs(got, expected, rtol)
  assert sizes[1] < sizes[0] / 2
  assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == []


# Tolerances relative to the largest score, for 8 bits in 9 and in 53 layers of random weights; a
# different network would be off by 1.
@pytest.mark.parametrize(('model', 'rtol'), [('vgg_a@4', 0.1), ('resnet50@4', 0.3)])
def test_8_bit_integers_throughout(tmp_path, model, rtol):
  prefix, contract = make_checkpoint(tmp_path, model=model)
  # No calibration image reaches 0 or 255, but a byte must still stand for its pixel value.
  calibration = list(random_images(24, 32, 32) // 2 + 50)
  tflite.write_int8(prefix, contract, tmp_path, calibration)
  interpreter = interpreter_of(tmp_path)
  (images,) = interpreter.get_input_details()
  assert images['dtype'] is np.uint8
  assert images['quantization'] == (1.0, 0)
  details = {output['name']: output for output in interpreter.get_output_details()}
  assert [output['dtype'] for output in details.values()] == [np.uint8, np.uint8]
  assert details['probabilities']['quantization'] == (1 / 256, 0)
  # XNNPACK runs all but the conversions of sign at both ends and the softmax of integers.
  outside = operations_outside_the_delegate(interpreter)
  assert outside == ['DELEGATE', 'QUANTIZE', 'QUANTIZE', 'QUANTIZE', 'SOFTMAX']
  assert float_tensors(tmp_path / tflite.FILE) == []
  run = reload.load_tflite(tmp_path)
  for image in calibration[:4]:
    expected = expected_outputs(prefix, contract, image[np.newaxis])
    got = run(image[np.newaxis])['logits']
    check_outputs({'logits': got}, {'logits': expected['logits']}, rtol)


def float_tensors(path):
  """Returns the names of the float32 tensors."""
  schema = load_tflite_schema()
  (graph,) = schema.ModelT.InitFromPackedBuf(path.read_bytes(), 0).subgraphs
  return [t.name for t in graph.tensors if t.type == schema.TensorType.FLOAT32]


def test_a_trunk_outputs_its_features(tmp_path):
  prefix, contract = make_checkpoint(
    tmp_path, model='vgg_a_bn@4', num_classes=None, class_names=None
  )
  tflite.write(prefix, contract, tmp_path)
  got = reload.load_tflite(tmp_path)(random_images(1, 32, 32).astype('f'))
  assert {name: array.shape for name, array in got.items()} == {'features': (1, 1, 1, 32)}
