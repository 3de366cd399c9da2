"""The same networks in torch: channels last, autocast, eager or compiled; on the CPU or a GPU."""

from collections.abc import Callable
from typing import Any

from vgg_slim.benchmarks import layer_walk, systems
from vgg_slim.benchmarks.workload import Workload


def build_step(workload: Workload) -> Callable[[], None]:
  """Returns a function that runs one batch eagerly."""
  return _build(workload, compiled=False)


def build_compiled_step(workload: Workload) -> Callable[[], None]:
  """Returns a function that runs one batch through `torch.compile`."""
  return _build(workload, compiled=True)


def _build(workload: Workload, compiled: bool) -> Callable[[], None]:
  import torch

  torch.manual_seed(0)
  device = 'cuda' if torch.cuda.is_available() else 'cpu'
  systems.check_precision(workload, device == 'cuda')
  is_training = workload.what in ('forward_backward', 'train_step')
  model = build_module(workload).to(device, memory_format=torch.channels_last).train(is_training)
  run = torch.compile(model) if compiled else model
  size, side = workload.batch_size, workload.image_size
  images = torch.randn(size, 3, side, side).to(device, memory_format=torch.channels_last)
  labels = torch.randint(workload.num_classes, [size]).to(device)
  is_float32 = workload.precision == 'float32'
  dtype = torch.float16 if workload.precision == 'float16' else torch.bfloat16
  lowered = torch.autocast(device, dtype, not is_float32)
  scaler = torch.amp.GradScaler(device, enabled=workload.precision == 'float16')
  # A GPU runs in the background; without waiting, only the calls would be timed.
  wait = torch.cuda.synchronize if device == 'cuda' else lambda: None

  if not is_training:

    def forward() -> None:
      with torch.inference_mode(), lowered:
        torch.softmax(run(images), 1)
      wait()

    return forward
  sgd = torch.optim.SGD(_parameter_groups(model), layer_walk.LEARNING_RATE, layer_walk.MOMENTUM)

  def step() -> None:
    sgd.zero_grad()
    with lowered:
      loss = torch.nn.functional.cross_entropy(run(images), labels)
    scaler.scale(loss).backward()
    if workload.what == 'train_step':
      scaler.step(sgd)
      scaler.update()
    wait()

  return step


def _parameter_groups(model: Any) -> list[dict[str, Any]]:
  """Groups the parameters so that only weights decay, as in the other systems."""
  weights = [p for p in model.parameters() if p.ndim > 1]
  vectors = [p for p in model.parameters() if p.ndim == 1]
  return [
    {'params': weights, 'weight_decay': layer_walk.WEIGHT_DECAY},
    {'params': vectors, 'weight_decay': 0.0},
  ]


def build_module(workload: Workload) -> Any:
  """Builds the workload's network: a torch module, float32 [N, 3, side, side] -> logits [N, K]."""
  from torch import nn

  def conv(layer: Any, n_in: int) -> list[Any]:
    padding = layer.kernel // 2 if layer.padding == 'SAME' else layer.padding
    n_out = layer.channels
    main = nn.Conv2d(n_in, n_out, layer.kernel, layer.stride, padding, bias=layer.biases)
    return [main, *([nn.BatchNorm2d(n_out)] if layer.batch_norm else [])]

  def fc(layer: Any, n_in: int) -> list[Any]:
    main = nn.Linear(layer.kernel**2 * n_in, layer.channels, bias=layer.biases)
    return [nn.Flatten(), main, *([nn.BatchNorm1d(layer.channels)] if layer.batch_norm else [])]

  def max_pool(layer: Any, n_in: int) -> list[Any]:
    # A 3x3/2 pool with padding 'SAME' over an even map extends past the right and lower edges only.
    same = layer.padding == 'SAME'
    padding = 0 if same else layer.padding
    return [nn.MaxPool2d(layer.kernel, layer.stride, padding, ceil_mode=same)]

  kinds = {
    'conv': conv,
    'fc': fc,
    'max_pool': max_pool,
    'average_pool': lambda layer, n_in: [nn.AvgPool2d(layer.kernel)],
    'subsample': lambda layer, n_in: [nn.MaxPool2d(1, layer.stride)],
    'dropout': lambda layer, n_in: [nn.Dropout(layer_walk.DROPOUT_RATE)],
    'add': lambda layer, n_in: [],
  }
  layers = layer_walk.layers_of(workload, kinds)
  channels = layer_walk.input_channels(layers)

  class Net(nn.Module):
    def __init__(self):
      super().__init__()
      self.parts = nn.ModuleList(
        nn.Sequential(
          *kinds[layer.kind](layer, channels[layer.name]), *([nn.ReLU()] if layer.relu else [])
        )
        for layer in layers
      )

    def forward(self, images: Any) -> Any:
      parts = iter(self.parts)

      def run(layer: Any, first: Any, *others: Any) -> Any:
        return next(parts)(first + others[0] if others else first)

      return layer_walk.walk(layers, images, dict.fromkeys(kinds, run))

  return Net()
