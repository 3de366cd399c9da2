import numpy as np
import pytest

from tests.export.fabricated import check_outputs, expected_outputs, make_checkpoint, pictures
from vgg_slim.compat import load_tflite_schema, tf
from vgg_slim.export import reload, tflite

PREPROCESSING = {'ADD', 'MUL'}
SHAPE_OPERATIONS = {'SHAPE', 'TILE', 'STRIDED_SLICE', 'PACK', 'BROADCAST_TO', 'BROADCAST_ARGS'}


def interpreter_of(folder):
  return tf.lite.Interpreter(str(folder / tflite.FILE))


def operations(interpreter):
  return [details['op_name'] for details in interpreter._get_ops_details()]


def operations_outside_the_delegate(interpreter):
  """Operations that the interpreter runs itself once XNNPACK has taken what it can.

  A delegate's node stands for those that make its outputs out of its inputs; the others are found
  by walking back from the model's outputs.
  """
  interpreter.allocate_tensors()
  nodes = interpreter._get_ops_details()
  makers = {}
  for node in nodes:  # delegates come last, and take the place of what they run
    makers |= dict.fromkeys(map(int, node['outputs']), node)
  found, queue = {}, [details['index'] for details in interpreter.get_output_details()]
  while queue:
    node = makers.get(queue.pop())
    if node and node['index'] not in found:
      found[node['index']] = node['op_name']
      queue += map(int, node['inputs'])
  return sorted(found.values())


def keep(expected, names):
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
def test_one_image_of_the_networks_size_through_one_delegate(tmp_path, model, changes):
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
  found = operations(interpreter)
  assert SHAPE_OPERATIONS & set(found) == set()
  assert found[:2] == ['MUL', 'ADD']
  assert operations_outside_the_delegate(interpreter) == ['DELEGATE']
  batch = pictures(1, 32, 32)
  expected = keep(expected_outputs(prefix, contract, batch), names)
  check_outputs(reload.load_tflite(tmp_path)(batch.astype('f')), expected)
  got = interpreter.get_signature_runner()(images=batch.astype('f'))
  check_outputs(got, expected)


@pytest.mark.parametrize('model', ['vgg_a@4', 'resnet50@4'])
def test_free_shapes_at_several_sizes(tmp_path, model):
  prefix, contract = make_checkpoint(tmp_path, model=model)
  sizes = []
  # Eight bits for weights and activations: a few hundredths of the largest score.
  for write, rtol in ((tflite.write, 1e-5), (tflite.write_dynamic, 0.1)):
    write(prefix, contract, tmp_path, is_fixed=False)
    sizes.append((tmp_path / tflite.FILE).stat().st_size)
    run = reload.load_tflite(tmp_path)
    for images in (pictures(1, 40, 64), pictures(2, 64, 64)):
      got = run(images.astype('f'))
      expected = keep(
        expected_outputs(prefix, contract, images), tflite.list_outputs(contract, False)
      )
      if rtol > 1e-3:
        del got['probabilities'], expected['probabilities']
      check_outputs(got, expected, rtol)
  assert sizes[1] < sizes[0] / 2
  assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == []


# Of the largest score, for eight bits through nine and through 53 layers of random weights; another
# network would be off by 1.
@pytest.mark.parametrize(('model', 'rtol'), [('vgg_a@4', 0.1), ('resnet50@4', 0.3)])
def test_integers_throughout(tmp_path, model, rtol):
  prefix, contract = make_checkpoint(tmp_path, model=model)
  # No image of the calibration reaches 0 or 255: a byte has to be a pixel's value all the same.
  calibration = list(pictures(24, 32, 32) // 2 + 50)
  tflite.write_int8(prefix, contract, tmp_path, calibration)
  interpreter = interpreter_of(tmp_path)
  (images,) = interpreter.get_input_details()
  assert images['dtype'] is np.uint8
  assert images['quantization'] == (1.0, 0)
  details = {output['name']: output for output in interpreter.get_output_details()}
  assert [output['dtype'] for output in details.values()] == [np.uint8, np.uint8]
  assert details['probabilities']['quantization'] == (1 / 256, 0)
  # XNNPACK takes all but the change of sign at both ends, and has no soft-max of integers.
  outside = operations_outside_the_delegate(interpreter)
  assert outside == ['DELEGATE', 'QUANTIZE', 'QUANTIZE', 'QUANTIZE', 'SOFTMAX']
  assert float_tensors(tmp_path / tflite.FILE) == []
  run = reload.load_tflite(tmp_path)
  for image in calibration[:4]:
    expected = expected_outputs(prefix, contract, image[np.newaxis])
    got = run(image[np.newaxis])['logits']
    check_outputs({'logits': got}, {'logits': expected['logits']}, rtol)


def float_tensors(path):
  """Names of the tensors that are not integers."""
  schema = load_tflite_schema()
  (graph,) = schema.ModelT.InitFromPackedBuf(path.read_bytes(), 0).subgraphs
  return [t.name for t in graph.tensors if t.type == schema.TensorType.FLOAT32]


def test_a_trunk_gives_its_features(tmp_path):
  prefix, contract = make_checkpoint(
    tmp_path, model='vgg_a_bn@4', num_classes=None, fc_units=None, class_names=None
  )
  tflite.write(prefix, contract, tmp_path)
  got = reload.load_tflite(tmp_path)(pictures(1, 32, 32).astype('f'))
  assert {name: array.shape for name, array in got.items()} == {'features': (1, 1, 1, 32)}
