"""The same networks in onnxruntime, exported from their torch modules.

The export runs in the same process, so its peak memory is torch's and says nothing about
onnxruntime.
"""

import io
import warnings
from collections.abc import Callable

from benchmarks import torch_net
from vgg_slim.benchmarks.workload import Workload


def build_step(workload: Workload) -> Callable[[], None]:
  """Returns a function that runs one batch; the export folds batch norm, as is usual."""
  import onnxruntime
  import torch

  torch.manual_seed(0)
  model = torch.nn.Sequential(torch_net.build_module(workload), torch.nn.Softmax(1)).eval()
  side = workload.image_size
  images = torch.randn(workload.batch_size, 3, side, side)
  exported = io.BytesIO()
  with warnings.catch_warnings():
    warnings.simplefilter('ignore')  # deprecation of this exporter
    torch.onnx.export(model, (images,), exported, input_names=['images'], dynamo=False)
  options = onnxruntime.SessionOptions()
  options.intra_op_num_threads = workload.threads
  session = onnxruntime.InferenceSession(
    exported.getvalue(), options, providers=['CPUExecutionProvider']
  )
  feed = {'images': images.numpy()}
  return lambda: session.run(None, feed)
