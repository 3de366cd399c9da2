"""How sessions compute: precision and threads."""

from vgg_slim.compat import tf


def session_config(precision: str = 'float32', threads: int = 0) -> tf.ConfigProto:
  """Settings of a session on a CPU.

  In 'bfloat16' TensorFlow rewrites convolutions, matrix products and what lies between them to take
  and give bfloat16, with float32 sums; variables, losses and updates stay float32.

  Args:
    precision: 'float32' or 'bfloat16'.
    threads: of one operation; 0 for all cores.
  """
  config = tf.ConfigProto(intra_op_parallelism_threads=threads)
  if precision == 'bfloat16':
    rewrites = config.graph_options.rewrite_options
    rewrites.auto_mixed_precision_onednn_bfloat16 = rewrites.ON
  return config
