"""Thin networks and helpers that the tests share."""

import contextlib
import dataclasses

import numpy as np

from vgg_slim.compat import tf
from vgg_slim.nets import specs


def thin(spec, channels=4):
  """The row `spec` with `channels` channels in every convolution: same shape, no weight."""
  stages = tuple(tuple(conv._replace(channels=channels) for conv in stage) for stage in spec.stages)
  return dataclasses.replace(spec, stages=stages)


def thin_model(monkeypatch, name='vgg_d', channels=4):
  """Puts the thin row in the place of `name` for one test and returns the name."""
  monkeypatch.setitem(specs.VGG, name, thin(specs.VGG[name], channels))
  return name


@contextlib.contextmanager
def graph_session(seed=0):
  """A new graph as the default, with a session on it; variables are yours to initialise."""
  with tf.Graph().as_default():
    tf.set_random_seed(seed)
    with tf.Session() as session:
      yield session


def random_values(shapes, seed=0, scale=0.1):
  """float32 arrays by name, normal with standard deviation `scale`."""
  rng = np.random.default_rng(seed)
  return {name: rng.normal(0, scale, shape).astype(np.float32) for name, shape in shapes.items()}


def assign(session, values):
  """Gives the global variables the arrays of `values`, by variable name without ':0'."""
  for variable in tf.global_variables():
    variable.load(values[variable.op.name], session)
