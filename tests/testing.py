"""Thin networks and other helpers that tests share."""

import contextlib
import dataclasses
import importlib
import io
import signal
import subprocess
import sys
import threading
import types

import numpy as np
import PIL.Image
from absl import flags
from absl.testing import flagsaver

from vgg_slim.checkpoints import contract
from vgg_slim.commands import invocation
from vgg_slim.compat import tf
from vgg_slim.configs import config
from vgg_slim.data.conversion import converter, splitting
from vgg_slim.data.sources import catalog
from vgg_slim.nets import registry, specs
from vgg_slim.nets.mode import Inference

_COMMANDS = 'vgg_slim.commands.'


def thin(spec, channels=4):
  """A thin version of `spec` under its name; blocks of a ResNet have two units."""
  row = dataclasses.replace(spec.thin(channels), name=spec.name)
  if isinstance(spec, specs.ResNetSpec):
    return dataclasses.replace(row, blocks=tuple(b._replace(units=2) for b in row.blocks))
  return row


def thin_model(monkeypatch, name='vgg_d', channels=4):
  """Replaces the network `name` by a thin version for one test; returns the name."""
  table = specs.VGG if name in specs.VGG else specs.RESNET
  monkeypatch.setitem(table, name, thin(table[name], channels))
  return name


@contextlib.contextmanager
def graph_session(seed=0):
  """Opens a session on a new default graph; the caller initializes the variables."""
  with tf.Graph().as_default():
    tf.set_random_seed(seed)
    with tf.Session() as session:
      yield session


def random_values(shapes, seed=0, scale=0.1):
  """float32 arrays by name, normal with standard deviation `scale`."""
  rng = np.random.default_rng(seed)
  return {name: rng.normal(0, scale, shape).astype(np.float32) for name, shape in shapes.items()}


def random_network_values(shapes, scale):
  """`random_values`, but at least 1 for scales and variances of batch norm."""
  return {
    name: 1 + value**2 if name.endswith(('gamma', 'moving_variance')) else value
    for name, value in random_values(shapes, scale=scale).items()
  }


def assign(session, values):
  """Assigns arrays to all global variables, by variable name without ':0'."""
  # In a single run, since each call of `variable.load` takes 20 ms in a ResNet's graph.
  variables = tf.global_variables()
  feeds = {v.initializer.inputs[1]: values[v.op.name] for v in variables}
  session.run([v.initializer for v in variables], feeds)


def make_data_set(
  folder, per_class=12, num_classes=2, side=32, validation_fraction=0.25, names=None
):
  """Converts noisy images of one color per class; returns (folder, manifest)."""
  rng = np.random.default_rng(0)
  colors = rng.integers(60, 196, [num_classes, 3])

  def read_image(label):
    pixels = np.clip(colors[label] + rng.normal(0, 8, [side, side, 3]), 0, 255)
    buffer = io.BytesIO()
    PIL.Image.fromarray(pixels.astype(np.uint8)).save(buffer, 'PNG')
    return buffer.getvalue

  images = [
    catalog.LabeledImage(f'{label}/{i}', label, read_image(label))
    for label in range(num_classes)
    for i in range(per_class)
  ]
  names = names or tuple(f'class_{label}' for label in range(num_classes))
  source = catalog.Source('folder', names, {'train': images}, mirror_safe=True)
  options = converter.Options(splitting.SplitRule(validation_fraction))
  manifest = converter.convert(source, folder, options)
  return str(folder), manifest


def train_config(data_dir, manifest, **run):
  """Config of a small run at 32 px, with dropout and augmentation."""
  return config.TrainConfig(
    net=config.NetConfig(
      manifest.num_classes, 'vgg_a', image_size=32, fc_units=16, initializer='he'
    ),
    preprocessing=config.PreprocessingConfig(manifest.rgb_mean, 1 / 64, 34, 38),
    optimizer=config.OptimizerConfig(0.01, 'exponential', 0.5, epochs_per_decay=1.0),
    run=config.RunConfig(**{'batch_size': 4, 'epochs': 2.0, 'log_every_steps': 1, **run}),
    fine_tune=config.FineTuneConfig(),
    data_dir=data_dir,
    data_fingerprint=manifest.fingerprint,
    class_names=manifest.class_names,
  )


def make_contract(model, num_classes, image_size, fc_units=None, source=None, **fields):
  """Makes a contract from the flat fields of its file; by default the pixels are ImageNet's."""
  values = {'model': model, 'num_classes': num_classes, 'image_size': image_size}
  return contract.from_values({**values, 'fc_units': fc_units, 'source': source, **fields})


def save_trunk(prefix):
  """Saves a new trunk of vgg_a@4 for images of 32 px, with its contract."""
  with graph_session() as session:
    registry.build('vgg_a@4', tf.zeros([1, 32, 32, 3]), None, Inference())
    session.run(tf.global_variables_initializer())
    tf.train.Saver().save(session, prefix, write_meta_graph=False)
  made = make_contract('vgg_a@4', None, 32, None, pixel_scale=1 / 64)
  contract.write_contract(contract.contract_path(prefix), made)


def replace(described, **fields):
  """Replaces fields of a contract or of its parts."""
  parts = {
    part: {name: fields.pop(name) for name in list(fields) if hasattr(value, name)}
    for part, value in vars(described).items()
    if part in ('network', 'preprocessing')
  }
  changed = {n: dataclasses.replace(getattr(described, n), **v) for n, v in parts.items()}
  return dataclasses.replace(described, **changed, **fields)


def run_tool(tool, *arguments, **options):
  """Runs the command of the module `tool` in this process; returns the exit code."""
  with flagsaver.flagsaver():
    try:
      invocation.run(tool.main, [tool.__name__, *arguments], **options)
    except SystemExit as end:
      return end.code


def run_command(name, *arguments):
  """Runs the command `name` in this process, with no flags but its own; returns the exit code."""
  with own_flags():
    return run_tool(importlib.import_module(f'{_COMMANDS}{name}'), *arguments)


@contextlib.contextmanager
def started(command, seconds=300, **options):
  """Starts a process with text streams, which is killed after `seconds`.

  It is also killed at the end of the block if it is still running, so that no test hangs.
  """
  with subprocess.Popen(command, text=True, **options) as process:
    limit = threading.Timer(seconds, process.kill)
    limit.start()
    try:
      yield process
    finally:
      limit.cancel()
      process.kill()


def ignore_signals():
  """Ignores SIGINT and SIGTERM, as shell scripts do for background jobs; a `preexec_fn`."""
  for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)


@contextlib.contextmanager
def own_flags():
  """Unloads all tools and their flags, so that one with flags of the same names can be imported.

  After the block, tools that were imported in it are unloaded, and the earlier ones are restored.
  """
  registry = vars(flags.FLAGS)
  before = {name: _copy_registry(value) for name, value in registry.items()}
  modules = {name: module for name, module in sys.modules.items() if name.startswith(_COMMANDS)}
  for name, defined in before['__flags_by_module'].items():
    if not name.startswith(_COMMANDS) or name == invocation.__name__:
      continue
    sys.modules.pop(name, None)
    for flag in defined:
      if flag.name in flags.FLAGS:
        delattr(flags.FLAGS, flag.name)
  try:
    yield
  finally:
    registry.clear()
    registry.update(before)
    for name in [name for name in sys.modules if name.startswith(_COMMANDS)]:
      del sys.modules[name]
      package, _, module_name = name.rpartition('.')
      vars(sys.modules.get(package, types)).pop(module_name, None)
    for name, module in sorted(modules.items()):
      sys.modules[name] = module
      package, _, module_name = name.rpartition('.')
      setattr(sys.modules[package], module_name, module)


def _copy_registry(value):
  """Copies one of Absl's registries, a dict of flags or of lists of flags."""
  if not isinstance(value, dict):
    return value
  return {key: list(item) if isinstance(item, list) else item for key, item in value.items()}


class Recorder:
  """A stand-in for a config that records which of its settings are read."""

  def __init__(self, config):
    self._config = config
    self.read = set()

  def __getattr__(self, name):
    self.read.add(name)
    return getattr(self._config, name)
