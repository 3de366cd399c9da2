"""Configuration of sessions: threads and GPUs of the process; precision and XLA of each session.

    sessions.configure(runtime)
    with tf.Graph().as_default(), sessions.open_session() as session:
      ...

TensorFlow takes the threads and GPUs of a whole process from the first session that is opened and
ignores the settings of later ones. Therefore they are set once, and all sessions of this project
are opened here.
"""

from vgg_slim import processor
from vgg_slim.compat import tf
from vgg_slim.configs.runtime import NO_GPU, RuntimeConfig
from vgg_slim.errors import ConfigError

_REWRITERS = {
  'bfloat16': 'auto_mixed_precision_onednn_bfloat16',  # for CPUs
  'float16': 'auto_mixed_precision',  # for GPUs
}
# Without one of these, oneDNN has no kernels in bfloat16 (IsBF16SupportedByOneDNNOnThisCPU).
_ONEDNN_BFLOAT16 = ('avx512f', 'avx_ne_convert')

_AS_BUILT = RuntimeConfig()  # in float32, not compiled


def configure(runtime: RuntimeConfig) -> None:
  """Sets the threads and GPUs of all sessions in this process; call it before the first one.

  Args:
    runtime: config of the runtime; only `num_threads`, `gpus` and `gpu_memory_growth` are used
      here, the other fields apply to single sessions.

  Raises:
    ConfigError: there is no such GPU, or TensorFlow has already started with other values.
  """
  chosen = _find_gpus(runtime.gpus)
  try:
    # Once TensorFlow has started, it refuses to set even the values that it already has.
    if tf.config.threading.get_intra_op_parallelism_threads() != runtime.num_threads:
      tf.config.threading.set_intra_op_parallelism_threads(runtime.num_threads)
    if tf.config.get_visible_devices('GPU') != chosen:
      tf.config.set_visible_devices(chosen, 'GPU')
    for gpu in chosen:
      if bool(tf.config.experimental.get_memory_growth(gpu)) != runtime.gpu_memory_growth:
        tf.config.experimental.set_memory_growth(gpu, runtime.gpu_memory_growth)
  except RuntimeError as error:
    raise ConfigError(f'num_threads, gpus, gpu_memory_growth: {error}') from error


def _find_gpus(numbers: str | None) -> list[tf.config.PhysicalDevice]:
  gpus = tf.config.list_physical_devices('GPU')
  if numbers is None:
    return gpus
  wanted = [] if numbers == NO_GPU else [int(number) for number in numbers.split(',')]
  absent = [str(number) for number in wanted if number >= len(gpus)]
  if absent:
    raise ConfigError(
      f'gpus={numbers}: TensorFlow finds {len(gpus)} GPUs, numbered from 0; there is no '
      f'{", ".join(absent)}. Use {NO_GPU!r} to run on the CPU only.'
    )
  return [gpus[number] for number in wanted]


def num_gpus() -> int:
  """The number of GPUs that the sessions of this process may use."""
  return len(tf.config.get_visible_devices('GPU'))


def computed_precision(precision: str) -> str:
  """The precision in which the sessions of this process compute that are opened for `precision`.

  It is float32 for float16 without a GPU, and for bfloat16 on processors without AVX-512, where
  TensorFlow has only kernels without vector instructions: a training step of VGG16-BN at 32 px took
  17 times as long as in float32 (AMD EPYC with AVX2, 2026-11-30).
  """
  flags = processor.flags()
  lacks_bfloat16 = flags is not None and flags.isdisjoint(_ONEDNN_BFLOAT16)
  if (precision == 'float16' and not num_gpus()) or (precision == 'bfloat16' and lacks_bfloat16):
    return 'float32'
  return precision


def fast_precision() -> str:
  """bfloat16 if this process computes on a processor that multiplies it, otherwise float32."""
  return 'bfloat16' if processor.has_bfloat16() and not num_gpus() else 'float32'


def gains_nothing(precision: str) -> bool:
  """Whether `precision` is bfloat16, and nothing that this process computes on multiplies it."""
  return precision == 'bfloat16' and not processor.has_bfloat16() and not num_gpus()


def check_precision(precision: str) -> None:
  """Raises ConfigError for float16 without a GPU, which nothing computes."""
  if precision == 'float16' and not num_gpus():
    raise ConfigError(
      'precision=float16 needs a GPU, and this process has none: use float32 or bfloat16.'
    )


def session_config(runtime: RuntimeConfig = _AS_BUILT) -> tf.ConfigProto:
  """The `config` for a session that `open_session` cannot open, such as a monitored one.

  For low precision, grappler inserts casts around convolutions and matrix products; the graph, its
  variables and its checkpoints do not change.

  Args:
    runtime: config of the runtime; only `precision` and `xla` are used here, threads and GPUs are
      those of the process, see `configure`.
  """
  proto = tf.ConfigProto(
    allow_soft_placement=True,
    intra_op_parallelism_threads=tf.config.threading.get_intra_op_parallelism_threads(),
  )
  _set_gpus(proto)
  precision = computed_precision(runtime.precision)
  if precision in _REWRITERS:
    rewriters = proto.graph_options.rewrite_options
    setattr(rewriters, _REWRITERS[precision], type(rewriters).ON)
  if runtime.xla:
    options = proto.graph_options.optimizer_options
    options.global_jit_level = type(options).ON_1
  return proto


def _set_gpus(proto: tf.ConfigProto) -> None:
  all_gpus, chosen = tf.config.list_physical_devices('GPU'), tf.config.get_visible_devices('GPU')
  if not chosen:
    proto.device_count['GPU'] = 0
    return
  if chosen != all_gpus:
    numbers = [str(all_gpus.index(gpu)) for gpu in chosen]
    proto.gpu_options.visible_device_list = ','.join(numbers)
  grows = [tf.config.experimental.get_memory_growth(gpu) for gpu in chosen]
  proto.gpu_options.allow_growth = all(grows)


def open_session(graph: tf.Graph | None = None, runtime: RuntimeConfig = _AS_BUILT) -> tf.Session:
  """Opens a session.

  Args:
    graph: graph of the session; the default graph by default.
    runtime: config of the session, see `session_config`.
  """
  return tf.Session(graph=graph, config=session_config(runtime))
