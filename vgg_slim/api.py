"""The public face of the library: `vgg_slim.build`, `load`, `Predictor`, `Evaluator` and `train`.

Each of them combines modules that can also be used on their own. `import vgg_slim` does not import
this module; the first use of a name does, which loads TensorFlow.
"""

import os
import sys
from collections.abc import Sequence

from vgg_slim import sessions
from vgg_slim.checkpoints import contract as contracts
from vgg_slim.checkpoints import prefixes, restore, search
from vgg_slim.checkpoints.restore import RestoredNetwork
from vgg_slim.configs.config import TrainConfig
from vgg_slim.data import class_balance, class_weights
from vgg_slim.data import manifest as manifests
from vgg_slim.errors import ConfigError
from vgg_slim.evaluation import candidates, image_predictor, predictor, results, runner, validation
from vgg_slim.evaluation.eval_config import EvalConfig, flips_by_default
from vgg_slim.evaluation.predictions import Answer
from vgg_slim.evaluation.results import EvalResult
from vgg_slim.evaluation.views import WHOLE
from vgg_slim.nets.mode import Inference, Training
from vgg_slim.nets.registry import build
from vgg_slim.reporting import Reporter
from vgg_slim.training import loop, run_precision, validation_memory
from vgg_slim.training.cluster import Cluster
from vgg_slim.training.loop import TrainResult

__all__ = ['Evaluator', 'Inference', 'Predictor', 'Training', 'build', 'load', 'train']


def load(path: str, mode: Inference = Inference.fast()) -> RestoredNetwork:
  """Builds the network of a checkpoint from its contract and restores its weights.

  >>> with vgg_slim.load('runs/photos') as network:
  ...   pixels = np.zeros([1, 32, 32, 3])  # RGB, 0..255
  ...   logits = network.session.run(network.outputs.logits, {network.images: pixels})
  >>> logits.shape
  (1, 2)
  >>> network.contract.class_names
  ('cat', 'dog')

  Args:
    path: a train_dir, which stands for its newest intact checkpoint, or the prefix of a checkpoint,
      trained or imported.
    mode: mode of inference.

  Returns:
    The network in a graph and a session of its own; a context manager that closes the session.

  Raises:
    CheckpointError: there is no checkpoint, its network is unknown, or it is damaged.
    ConfigError: the mode is not one of inference.
  """
  if not isinstance(mode, Inference):
    raise ConfigError(f'mode must be vgg_slim.Inference(...), got {mode!r}.')
  return restore.open_network(*_find(path), mode)


class Predictor(predictor.CheckpointPredictor):
  """Classifies image files with the network of a checkpoint. Use it as a context manager.

  >>> with vgg_slim.Predictor('runs/photos') as predictor:
  ...   answer, = predictor.predict(['cat.jpg'], top=1)
  >>> answer.file
  'cat.jpg'
  >>> answer.top[0].class_name in ('cat', 'dog')
  True
  """

  def __init__(
    self,
    path: str,
    test_scale: int | None = None,
    central_crop: bool = False,
    flip: bool = False,
    precision: str = 'float32',
  ) -> None:
    """Builds the network and restores its weights.

    Args:
      path: a train_dir, which stands for its newest intact checkpoint, or the prefix of a
        checkpoint, trained or imported.
      test_scale: smaller side that images are resized to, in pixels; by default the one that
        corresponds to the training scale.
      central_crop: whether only the central square is scored instead of the whole image.
      flip: whether the horizontal flip is averaged in.
      precision: float32, bfloat16, or float16 on GPUs.

    Raises:
      CheckpointError: there is no checkpoint, its network is unknown or has no head, or it is
        damaged.
      ConfigError: `test_scale` is too small for the network, or there is no such precision.
    """
    view = image_predictor.View(test_scale, central_crop, flip)
    super().__init__(*_find(path), view, precision)

  def predict(self, files: Sequence[str], top: int = 3, batch_size: int = 16) -> list[Answer]:
    """Returns a `Prediction` for each file, or a `Failure` with the reason, in the same order.

    Args:
      files: paths of image files, each at most once.
      top: number of most probable classes of each prediction.
      batch_size: number of images that are in memory at a time.

    Raises:
      ConfigError: `files` is one name, or a number is below 1.
    """
    if isinstance(files, str | os.PathLike) or top < 1 or batch_size < 1:
      raise ConfigError(
        f'files must be a list of names, top and batch_size at least 1, got {files!r:.60}, {top} '
        f'and {batch_size}.'
      )
    return list(image_predictor.predict_files(self, files, top, batch_size))


class Evaluator(runner.Evaluator):
  """Scores a checkpoint on a split of a converted data set. Use it as a context manager.

  >>> with vgg_slim.Evaluator('runs/photos', views=('dense', 'center')) as evaluator:
  ...   results = evaluator.evaluate()
  >>> results['dense'].num_images
  6
  >>> 0 <= results['center'].top_1_error <= 1
  True
  """

  def __init__(
    self,
    path: str,
    data_dir: str | None = None,
    split: str = 'validation',
    views: Sequence[str] = (WHOLE,),
    test_scales: Sequence[int] = (),
    flip: bool | None = None,
    batch_size: int = EvalConfig.batch_size,
    precision: str = EvalConfig.precision,
  ) -> None:
    """Builds the graph.

    Args:
      path: a train_dir, which stands for its newest intact checkpoint, or the prefix of a
        checkpoint, trained or imported.
      data_dir: folder of the converted data set; by default that of the training run.
      split: name of the split.
      views: names of `evaluation.views.VIEWS`, or several joined by '+' for their average.
      test_scales: smaller sides of the images, in pixels; by default the one that corresponds to
        the training scale.
      flip: whether horizontal flips are averaged in; by default as in training.
      batch_size: number of crops, or of as many pixels of whole images, in a batch.
      precision: float32, bfloat16, float16, or auto, which is bfloat16 where `precision_proof`
        shows that it gives the same answers.

    Raises:
      CheckpointError: there is no checkpoint, or its network is unknown or has no head.
      ConfigError: the data set is unknown, or a value is out of range.
      DataError: the data set or the split does not exist, or the network lacks one of its classes.
    """
    trained = candidates.find_candidate(search.find(path) or path)
    data_dir = data_dir or trained.find_data()
    if data_dir is None:
      raise ConfigError(f'Give data_dir: {trained.checkpoint} does not belong to a training run.')
    manifest = manifests.read_manifest(data_dir)
    config = EvalConfig(
      test_scales=tuple(test_scales) or (trained.test_scale,),
      views=tuple(views),
      split=split,
      flip=flips_by_default(trained.preprocessing, manifest) if flip is None else flip,
      batch_size=batch_size,
      precision=precision,
    )
    super().__init__(trained, data_dir, manifest, config)
    self._checkpoint, self._views_of_results = trained.checkpoint, config.views

  def evaluate(self) -> dict[str, EvalResult]:
    """Returns the result of each view, averaged over the test scales.

    Raises:
      CheckpointError: the checkpoint is damaged or does not fit the network.
      DataError: the shards do not hold what the manifest says.
      NonFiniteError: the scores of an image are not finite.
    """
    scored = self.score(self._checkpoint)
    return {view: results.combine([scored], view).result for view in self._views_of_results}


def train(
  config: TrainConfig,
  train_dir: str | os.PathLike[str],
  overwrite: bool = False,
  validation_batch_size: int | None = None,
  cluster: Cluster | None = None,
  quiet: bool = False,
  reporter: Reporter | None = None,
) -> TrainResult:
  """Trains a network, or resumes the run in `train_dir`, and validates it at the end of epochs.

  >>> from vgg_slim.configs import config
  >>> from vgg_slim.data import manifest
  >>> photos = manifest.read_manifest('data/photos')
  >>> settings = config.TrainConfig(
  ...   net=config.NetConfig(photos.num_classes, 'vgg16@8', image_size=32, fc_units=16),
  ...   preprocessing=config.PreprocessingConfig(
  ...     photos.rgb_mean, train_scale_min=36, train_scale_max=36
  ...   ),
  ...   optimizer=config.OptimizerConfig(learning_rate=0.01),
  ...   run=config.RunConfig(batch_size=8, max_steps=2),
  ...   fine_tune=config.FineTuneConfig(),
  ...   data_dir='data/photos',
  ...   data_fingerprint=photos.fingerprint,
  ...   class_names=photos.class_names,
  ... )
  >>> result = vgg_slim.train(settings, 'runs/new', quiet=True)
  epoch 0.89: train loss ..., validation loss ...
  >>> result.checkpoint
  'runs/new/model.ckpt-2'

  Args:
    config: config of the run; `config.data_dir` holds the data set.
    train_dir: folder of the run, created if necessary.
    overwrite: whether to remove the run in `train_dir` and start at step 0.
    validation_batch_size: number of images per batch in the validation; None for 64, or fewer if
      the memory budget of `config` does not allow so many.
    cluster: workers that train together, or None for this process alone.
    quiet: whether only the end of each epoch is printed.
    reporter: receiver of the progress, instead of standard output; `quiet` is that of the reporter.

  Raises:
    ConfigError: the data set in `config.data_dir` is not the one that `config` was made for.
    VggSlimError: see `training.loop.run_training`.
  """
  train_dir = os.fspath(train_dir)
  if not train_dir:
    raise ConfigError('train_dir must not be empty.')
  prefixes.check_output(train_dir, 'train_dir')
  sessions.configure(config.runtime)
  reporter = reporter or Reporter(sys.stdout, quiet)
  config = run_precision.settle(config, reporter.line)
  manifest = manifests.read_manifest(config.data_dir)
  if manifest.fingerprint != config.data_fingerprint:
    raise ConfigError(
      f'{config.data_dir} has other images, classes or splits than the data set that the config '
      'was made for: make one from its manifest.'
    )
  counts = manifest.split('train').examples_per_class
  imbalance = class_balance.find_imbalance(manifest.class_names, counts)
  if imbalance and not config.balances_classes:
    reporter.line(f'Warning: {imbalance}.')
  if config.optimizer.class_weights:
    reporter.line(class_weights.describe(config.class_names, config.optimizer.class_weights))
  if 'validation' not in manifest.splits:
    reporter.line('The data set has no validation split: training without validation.')
    return loop.run_training(
      config, manifest, train_dir, None, reporter, cluster, overwrite=overwrite
    )
  workers = len(cluster.workers) if cluster else 1
  batch_size, in_memory = validation_memory.batch_size(config, workers, validation_batch_size)
  if in_memory:
    reporter.line(in_memory)
  central_crops = EvalConfig(
    test_scales=(config.test_scale,),
    views=('center',),
    flip=False,
    batch_size=batch_size,
    # That of the training steps: where these are float32 in truth, the validation is, too.
    precision=sessions.computed_precision(config.runtime.precision),
  )
  shards = manifests.shard_paths(config.data_dir, manifest, 'validation')
  reporter.phase('building', 'Building the graph of the validation', is_brief=True)
  with runner.Evaluator(config, config.data_dir, manifest, central_crops) as evaluator:
    validator = validation.Validator(evaluator, central_crops, evaluator.classes, shards)
    summarize = validator.summarize if config.run.image_summary_every_steps else None

    def evaluate(checkpoint: str) -> EvalResult:
      result = validator.run(checkpoint, progress=reporter.part)
      if config.runtime.memory_budget is not None:
        evaluator.close()  # the steps that follow need the memory of its weights
      return result

    return loop.run_training(
      config, manifest, train_dir, evaluate, reporter, cluster, summarize, overwrite
    )


def _find(path: str) -> tuple[str, contracts.Contract]:
  return contracts.load_contract(search.find(path) or path)
