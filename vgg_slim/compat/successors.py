"""What became of names that cannot be restored, and of those that a script should replace."""

# Name in TensorFlow 1, as `tf.` shows it -> the nearest way.
NO_SUCCESSOR: dict[str, str] = {
  'contrib.quantize': 'quantized training ended with TensorFlow 1; quantize after training with '
  'tools/export_model --format=tflite_int8, or tf.lite.TFLiteConverter',
  'contrib.opt': 'its optimizers are not in TensorFlow; use tf.train.AdamOptimizer and '
  'MomentumOptimizer, or AdamW of tools/train --optimizer=adamw',
  'contrib.image': 'moved to the discontinued TensorFlow Addons; tf.image and '
  'tf.raw_ops.ImageProjectiveTransformV3 rotate and transform images',
  'contrib.crf': 'moved to the discontinued TensorFlow Addons, whose tfa.text.crf can be copied',
  'contrib.seq2seq': 'moved to the discontinued TensorFlow Addons; write the decoder with '
  'tf.while_loop, or use tf.keras layers',
  'contrib.legacy_seq2seq': 'it has no successor; write the loop with tf.nn.dynamic_rnn',
  'contrib.estimator': 'TensorFlow 2.16 removed estimators; build the graph of model_fn and train '
  'it with tf.train.MonitoredTrainingSession or slim.learning.train',
  'contrib.tpu': 'TPUEstimator was removed with estimators; on a TPU use tf.distribute.TPUStrategy',
  'contrib.cudnn_rnn': 'use tf.keras.layers.LSTM or GRU, which use cuDNN where they can',
  'contrib.distributions': 'install tensorflow-probability, which has these distributions',
  'contrib.bayesflow': 'install tensorflow-probability',
  'contrib.gan': 'install tensorflow-gan',
  'contrib.graph_editor': 'it has no successor; build the changed graph with '
  'tf.import_graph_def(input_map=...)',
  'contrib.summary': 'use tf.compat.v2.summary, which has create_file_writer and scalar',
  'contrib.tensorrt': 'use tensorflow.python.compiler.tensorrt',
  'contrib.ffmpeg': 'it has no successor; decode the file before TensorFlow reads it',
  'contrib.predictor': 'use tf.saved_model.loader.load and session.run',
  'contrib.model_pruning': 'install tensorflow-model-optimization',
  'contrib.factorization': 'use scikit-learn, as for KMeans and GMM',
  'contrib.nn': 'its functions are in tf.nn under the same or similar names',
  'contrib.memory_stats': 'use tf.config.experimental.get_memory_info',
  'contrib.nccl': 'use tf.distribute.MirroredStrategy',
  'contrib.resampler': 'moved to the discontinued TensorFlow Addons; it needs a custom op',
  'contrib.staging': 'use tf.data.Dataset.prefetch',
  'contrib.solvers': 'use tf.linalg',
  'contrib.boosted_trees': 'install tensorflow-decision-forests',
  'contrib.mixed_precision': 'scale the loss by hand, or use tf.keras.mixed_precision',
  'contrib.checkpoint': 'use tf.train.Checkpoint',
  'contrib.learn.datasets': 'use tf.keras.datasets, as for mnist.load_data()',
  'contrib.learn.Experiment': 'TensorFlow 2.16 removed estimators; train with '
  'tf.train.MonitoredTrainingSession or slim.learning.train',
  'contrib.learn.Estimator': 'TensorFlow 2.16 removed estimators; train with '
  'tf.train.MonitoredTrainingSession or slim.learning.train',
  'contrib.learn.RunConfig': 'TensorFlow 2.16 removed estimators; train with '
  'tf.train.MonitoredTrainingSession or slim.learning.train',
  'estimator': 'TensorFlow 2.16 removed estimators; build the graph of model_fn and train it with '
  'tf.train.MonitoredTrainingSession or slim.learning.train',
  'examples': 'its wheel has no examples; use tf.keras.datasets.mnist.load_data(), or copy the '
  'module of TensorFlow 1 beside the script',
}

# Modules of contrib that are shown from elsewhere -> what a script should import itself.
CONTRIB_REPLACEMENTS: dict[str, str] = {
  'slim': 'tf_slim, or slim of vgg_slim.compat',
  'layers': 'tf_slim.layers (slim.NAME)',
  'framework': 'tf_slim (slim.NAME), tf.train for checkpoints',
  'training': 'tf_slim.training',
  'metrics': 'tf_slim.metrics',
  'losses': 'tf_slim.losses',
  'data': 'tf.data, tf.data.experimental',
  'rnn': 'tf.compat.v1.nn.rnn_cell',
  'util': 'tf.make_tensor_proto, tf.get_static_value',
  'learn': 'nothing, or a loop of the script',
}


def nearest_way(name: str) -> str | None:
  """Returns what to do without a name that has no successor, or None if it is not known.

  Args:
    name: name without `tf.`, such as 'contrib.quantize.create_training_graph'.
  """
  names = name.split('.')
  for length in range(len(names), 0, -1):
    way = NO_SUCCESSOR.get('.'.join(names[:length]))
    if way:
      return way
  return None


def spell(full: str) -> str:
  """Returns a full name as scripts spell it: with `tf` and `np`, but private modules in full."""
  if full.startswith('tensorflow.python.'):
    return full
  return full.replace('tensorflow.', 'tf.', 1).replace('numpy.', 'np.', 1)
