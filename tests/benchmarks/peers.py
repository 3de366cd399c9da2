"""Workloads and parameter counts on which every peer's network has to agree with ours."""

from vgg_slim.benchmarks.workload import Workload
from vgg_slim.nets import specs, summary

# A plain network; batch norm in trunk and head; residual units with unusual padding.
MODELS = ('vgg_c@4', 'vgg_cifar@4', 'resnet50@4')
CLASSES, UNITS = 3, 8


def load(model, what='forward', **changes):
  return Workload(what, model, 2, 64, CLASSES, UNITS, threads=1, **changes)


def totals(model):
  return summary.total(summary.summarize(specs.get(model), CLASSES, 64, UNITS))
