"""Checkpoints for the matrix: random networks, saved like those of training or of an import."""

import pathlib

import numpy as np

from tests import testing
from tests.joins.rows import Row
from vgg_slim.checkpoints import search
from vgg_slim.compat import tf
from vgg_slim.configs import config
from vgg_slim.nets import registry, specs
from vgg_slim.nets.mode import Inference
from vgg_slim.training import starts
from vgg_slim.training.hooks import checkpointing, selection
from vgg_slim.weights import importer, npz

CLASS_NAMES = ('a', 'b')  # a sigmoid needs two classes
FC_UNITS = 64
_STEP = 7
RGB_MEAN, PIXEL_SCALE = (110.0, 105.0, 95.0), 1 / 64


def make_checkpoint(row: Row, folder: pathlib.Path, data_dir: str, fingerprint: str) -> str:
  """Writes a checkpoint of the row's network.

  Args:
    row: row whose `source` is the kind of checkpoint.
    folder: folder to create for the checkpoint.
    data_dir: folder of the converted data set.
    fingerprint: fingerprint of the data set.

  Returns:
    A train_dir, or the prefix of an imported checkpoint.
  """
  spec = specs.get(row.model)
  trained = _train_config(row, data_dir, fingerprint)
  values = _values(row, spec, trained.net)
  if row.source == 'imported':
    return _import(row, spec, values, folder)
  with tf.Graph().as_default(), tf.Session() as session:
    images = tf.placeholder(tf.float32, [None, row.side, row.side, 3])
    registry.build_from_config(trained.net, images, Inference())
    stored = dict(values)
    if row.source == 'averaged':
      # The averages are the network; the variables have values that must not be read.
      tf.train.ExponentialMovingAverage(0.99).apply(tf.global_variables())
      stored = {f'{name}{search.AVERAGE_SUFFIX}': value for name, value in values.items()}
      stored |= {name: np.ones_like(value) for name, value in values.items()}
    tf.train.get_or_create_global_step()
    testing.assign(session, {**stored, 'global_step': _STEP})
    folder.mkdir(parents=True)
    config.write_train_config(str(folder), trained)
    prefix = checkpointing.Checkpointer(trained, str(folder), starts.Start(None, 0)).save(
      session, _STEP
    )
  if row.source != 'best':
    return str(folder)
  best = folder / config.BEST_FOLDER
  selection.keep_checkpoint(prefix, best)
  return str(best)


def _train_config(row: Row, data_dir: str, fingerprint: str) -> config.TrainConfig:
  is_sigmoid, is_standardized = row.head == 'sigmoid', row.pixels == 'standardized'
  return config.TrainConfig(
    net=config.NetConfig(
      len(CLASS_NAMES),
      row.model,
      head=None if row.head in ('own', 'sigmoid') else row.head,
      image_size=row.side,
      fc_units=FC_UNITS,
      classifier_activation='sigmoid' if is_sigmoid else 'softmax',
    ),
    # Q is 32 pixels larger than the network's side, so that score maps have more than one cell.
    preprocessing=config.PreprocessingConfig(
      (0.0,) * 3 if is_standardized else RGB_MEAN,
      1.0 if is_standardized else PIXEL_SCALE,
      row.side + 32,
      row.side + 40,
      keep_aspect_ratio=row.pixels != 'squeezed',
      per_image_standardization=is_standardized,
    ),
    optimizer=config.OptimizerConfig(),
    run=config.RunConfig(),
    fine_tune=config.FineTuneConfig(),
    data_dir=data_dir,
    data_fingerprint=fingerprint,
    class_names=CLASS_NAMES,
  )


def _values(row: Row, spec: specs.NetSpec, net: config.NetConfig) -> dict[str, np.ndarray]:
  """Random values by variable name, scaled so that activations are about 1 in every layer."""
  num_logits = 1 if row.head == 'sigmoid' else net.num_classes
  sizes = (num_logits, row.side, FC_UNITS, net.head)
  shapes = spec.parameter_shapes(*sizes) | spec.non_trainable_shapes(*sizes)
  values = testing.random_network_values(shapes, scale=1.0)
  for name, value in values.items():
    if name.endswith('weights'):
      value *= np.sqrt(2 / np.prod(value.shape[:3]))
    elif name.endswith('gamma'):
      value[:] = 0.5 + 0.1 * np.tanh(value)
    elif name.endswith('moving_variance'):
      value[:] = 0.5 + 0.2 * np.tanh(value)
    else:
      value *= 0.1
  return {f'{spec.scope}/{name}': value for name, value in values.items()}


def _import(
  row: Row, spec: specs.NetSpec, values: dict[str, np.ndarray], folder: pathlib.Path
) -> str:
  folder.mkdir(parents=True)
  source, output = folder / 'weights.npz', folder / 'imported'
  npz.write_weights(str(source), values)
  request = importer.ImportRequest(
    source=str(source),
    model=row.model,
    output=str(output),
    image_size=row.side,
    rgb_mean=RGB_MEAN,
    pixel_scale=PIXEL_SCALE,
    class_names=CLASS_NAMES,
  )
  importer.run_import(request, say=lambda text: None)
  return str(output)
