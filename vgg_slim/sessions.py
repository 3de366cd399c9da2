"""How sessions run their graphs: precision, threads, devices, compilation."""

from vgg_slim.compat import tf
from vgg_slim.configs.runtime import NO_GPU, RuntimeConfig

_REWRITERS = {
  'bfloat16': 'auto_mixed_precision_onednn_bfloat16',  # for CPUs
  'float16': 'auto_mixed_precision',  # for GPUs; without one it changes nothing
}


def session_config(runtime: RuntimeConfig) -> tf.ConfigProto:
  """The `config` of a `tf.Session`; see `RuntimeConfig`.

  In low precision grappler casts around convolutions and products and leaves the graph, its
  variables and its checkpoints as they are.
  """
  proto = tf.ConfigProto(
    allow_soft_placement=True, intra_op_parallelism_threads=runtime.num_threads
  )
  if runtime.gpus == NO_GPU:
    proto.device_count['GPU'] = 0
  elif runtime.gpus is not None:
    proto.gpu_options.visible_device_list = runtime.gpus
  proto.gpu_options.allow_growth = runtime.gpu_memory_growth
  if runtime.precision in _REWRITERS:
    rewriters = proto.graph_options.rewrite_options
    setattr(rewriters, _REWRITERS[runtime.precision], type(rewriters).ON)
  if runtime.xla:
    options = proto.graph_options.optimizer_options
    options.global_jit_level = type(options).ON_1
  return proto
