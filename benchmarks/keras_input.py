"""The training input as Keras users write it: a folder data set and augmentation layers."""

from collections.abc import Callable

from vgg_slim.benchmarks import image_folder
from vgg_slim.benchmarks.workload import Workload
from vgg_slim.compat import tf
from vgg_slim.data import manifest


def build_step(workload: Workload) -> Callable[[], tuple[tf.Tensor, tf.Tensor]]:
  """Returns a function that makes one batch.

  Keras needs images of one size, so they are read as squares whose side is the middle of the
  scales; layers then zoom to the other scales, crop and flip.

  Returns:
    a function that returns (images, labels): float32 [N, side, side, 3] with the mean subtracted,
    and int32 [N].
  """
  import keras
  from keras import layers

  folder = image_folder.make_folder(workload.data_set)
  smallest, largest = workload.scales
  middle, side = (smallest + largest) // 2, workload.image_size
  augment = keras.Sequential(
    [
      layers.RandomZoom((middle / largest - 1, middle / smallest - 1)),
      layers.RandomCrop(side, side),
      layers.RandomFlip('horizontal'),
    ]
  )
  rgb_mean = tf.constant(manifest.read_manifest(workload.data_set).rgb_mean)
  dataset = keras.utils.image_dataset_from_directory(
    folder.name,
    image_size=(middle, middle),
    crop_to_aspect_ratio=True,
    batch_size=workload.batch_size,
    verbose=False,
  )
  dataset = dataset.repeat().map(
    lambda images, labels: (augment(images, training=True) - rgb_mean, labels),
    num_parallel_calls=tf.data.AUTOTUNE,
  )
  batches = image_folder.iterate(dataset.prefetch(tf.data.AUTOTUNE), folder)
  return lambda: next(batches)
