"""The training input as torch users write it: ImageFolder, torchvision's transforms, DataLoader."""

import itertools
from collections.abc import Callable
from typing import Any

from vgg_slim.benchmarks import image_folder
from vgg_slim.benchmarks.workload import Workload
from vgg_slim.data import manifest


def build_step(workload: Workload) -> Callable[[], Any]:
  """Returns a function that makes one batch.

  Returns:
    a function that returns (images, labels): float32 [N, 3, side, side] with the mean subtracted,
    and int64 [N].
  """
  import torch
  from torchvision import datasets
  from torchvision.transforms import v2

  folder = image_folder.make_folder(workload.data_set)
  smallest, largest = workload.scales
  rgb_mean = manifest.read_manifest(workload.data_set).rgb_mean
  transform = v2.Compose(
    [
      v2.RandomResize(smallest, largest + 1),
      v2.RandomCrop(workload.image_size),
      v2.RandomHorizontalFlip(),
      v2.PILToTensor(),
      v2.ToDtype(torch.float32),
      v2.Normalize(rgb_mean, [1.0, 1.0, 1.0]),
    ]
  )
  loader = torch.utils.data.DataLoader(
    datasets.ImageFolder(folder.name, transform),
    workload.batch_size,
    shuffle=True,
    num_workers=workload.threads,
    persistent_workers=True,
  )
  epochs = itertools.chain.from_iterable(itertools.repeat(loader))
  batches = image_folder.iterate(epochs, folder)
  return lambda: next(batches)
