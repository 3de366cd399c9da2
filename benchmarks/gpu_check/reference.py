"""The row whose files the others read: images, data set, checkpoints, and the CPU's numbers."""

import io
import pathlib
from typing import Any

import numpy as np
import PIL.Image

from benchmarks.gpu_check import inference, steps
from benchmarks.gpu_check.settings import NUM_CLASSES, Check
from vgg_slim import sessions
from vgg_slim.benchmarks import memory
from vgg_slim.checkpoints import contract
from vgg_slim.compat import slim, tf
from vgg_slim.data.conversion import converter, splitting
from vgg_slim.data.sources import catalog
from vgg_slim.nets import registry
from vgg_slim.nets.mode import Inference

_CELLS = 8  # random colors along a side of an image, with smooth transitions in between
_PER_CLASS = 2


def make_reference(check: Check) -> dict[str, Any]:
  """Writes all files; the process must not see a GPU."""
  _write_images(check)
  options = converter.Options(splitting.SplitRule(1 / _PER_CLASS))
  source = catalog.open_source('folder', check.folder / 'images')
  converter.convert(source, check.data_dir, options, num_workers=1)
  numbers: dict[str, Any] = {}
  for model in (check.size.model, check.size.batch_norm_model):
    _write_checkpoint(check, model)
    numbers.update(steps.reference_numbers(model, steps.take_steps(check, model)))
  numbers['dense'] = inference.dense_probabilities(check)
  numbers['predict'] = inference.predicted_probabilities(check)
  np.savez(check.numbers, **numbers)
  return {
    'where': 'CPU',
    'reason': f'{len(numbers)} arrays of {check.size.model} and {check.size.batch_norm_model}',
    'peak_bytes': memory.peak_bytes(),
  }


def _write_images(check: Check) -> None:
  """Writes wide images, larger than the network's, of smooth noise that survives resizing."""
  rng = np.random.default_rng(0)
  side = check.size.image_size
  for label in range(NUM_CLASSES):
    folder = pathlib.Path(check.folder, 'images', f'class_{label}')
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(_PER_CLASS):
      colors = rng.integers(0, 256, [_CELLS, _CELLS, 3]).astype(np.uint8)
      image = PIL.Image.fromarray(colors).resize((side * 3 // 2, side * 5 // 4))
      stream = io.BytesIO()
      image.save(stream, 'PNG')
      (folder / f'{number}.png').write_bytes(stream.getvalue())


def _write_checkpoint(check: Check, model: str) -> None:
  config = check.train_config(model)
  prefix = check.prefix(model)
  pathlib.Path(prefix).parent.mkdir(exist_ok=True)
  with tf.Graph().as_default():
    tf.set_random_seed(0)
    images = tf.placeholder(tf.float32, [None, None, None, 3])
    registry.build_from_config(config.net, images, Inference())
    with sessions.open_session() as session:
      session.run(tf.global_variables_initializer())
      saver = tf.train.Saver(slim.get_model_variables())
      saver.save(session, prefix, write_meta_graph=False, write_state=False)
  contract.write_contract(contract.contract_path(prefix), contract.from_train_config(config))
