"""torchvision's VGG and ResNet from their published architecture: names, layouts and strides.

They share no code with the package's own forward passes, and hence no fault. Imported only by tests
that require torch.
"""

import torch
from torch import nn


def vgg(stages, units, classes, side, batch_norm=False):
  """Builds a VGG with the given stages, lists of (channels, kernel), as torchvision does."""
  layers, n_in = [], 3
  for stage in stages:
    for channels, kernel in stage:
      layers.append(nn.Conv2d(n_in, channels, kernel, padding=kernel // 2))
      layers += [nn.BatchNorm2d(channels)] * batch_norm
      layers.append(nn.ReLU(inplace=True))
      n_in = channels
    layers.append(nn.MaxPool2d(2, 2))
  map_side = side // 2 ** len(stages)

  class Vgg(nn.Module):
    def __init__(self):
      super().__init__()
      self.features = nn.Sequential(*layers)
      self.avgpool = nn.AdaptiveAvgPool2d(map_side)
      self.classifier = nn.Sequential(
        *(nn.Linear(n_in * map_side**2, units), nn.ReLU(True), nn.Dropout()),
        *(nn.Linear(units, units), nn.ReLU(True), nn.Dropout()),
        nn.Linear(units, classes),
      )

    def forward(self, x):
      return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))

  return randomize(Vgg().eval())


class Bottleneck(nn.Module):
  """Convolutions 1x1, 3x3 and 1x1, with the stride in the 3x3 ("v1.5")."""

  def __init__(self, n_in, channels, stride):
    super().__init__()
    n_out = channels * 4
    self.conv1 = nn.Conv2d(n_in, channels, 1, bias=False)
    self.bn1 = nn.BatchNorm2d(channels)
    self.conv2 = nn.Conv2d(channels, channels, 3, stride, 1, bias=False)
    self.bn2 = nn.BatchNorm2d(channels)
    self.conv3 = nn.Conv2d(channels, n_out, 1, bias=False)
    self.bn3 = nn.BatchNorm2d(n_out)
    self.downsample = None
    if stride != 1 or n_in != n_out:
      conv = nn.Conv2d(n_in, n_out, 1, stride, bias=False)
      self.downsample = nn.Sequential(conv, nn.BatchNorm2d(n_out))

  def forward(self, x):
    net = self.bn1(self.conv1(x)).relu()
    net = self.bn2(self.conv2(net)).relu()
    net = self.bn3(self.conv3(net))
    return (net + (x if self.downsample is None else self.downsample(x))).relu()


class Basic(nn.Module):
  """3x3, 3x3; the first one strides."""

  def __init__(self, n_in, channels, stride):
    super().__init__()
    self.conv1 = nn.Conv2d(n_in, channels, 3, stride, 1, bias=False)
    self.bn1 = nn.BatchNorm2d(channels)
    self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
    self.bn2 = nn.BatchNorm2d(channels)
    self.downsample = None
    if stride != 1 or n_in != channels:
      conv = nn.Conv2d(n_in, channels, 1, stride, bias=False)
      self.downsample = nn.Sequential(conv, nn.BatchNorm2d(channels))

  def forward(self, x):
    net = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
    return (net + (x if self.downsample is None else self.downsample(x))).relu()


class ResNet(nn.Module):
  """A ResNet of four layers of (channels, units); all but the first halve the map."""

  def __init__(self, unit_class, rows, stem, classes):
    super().__init__()
    self.conv1 = nn.Conv2d(3, stem, 7, 2, 3, bias=False)
    self.bn1 = nn.BatchNorm2d(stem)
    self.maxpool = nn.MaxPool2d(3, 2, 1)
    n_in = stem
    for number, (channels, units) in enumerate(rows, start=1):
      blocks = []
      for unit in range(units):
        stride = 2 if unit == 0 and number > 1 else 1
        blocks.append(unit_class(n_in, channels, stride))
        n_in = channels * (4 if unit_class is Bottleneck else 1)
      setattr(self, f'layer{number}', nn.Sequential(*blocks))
    self.fc = nn.Linear(n_in, classes)

  def forward(self, x):
    x = self.maxpool(self.bn1(self.conv1(x)).relu())
    x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
    return self.fc(x.mean((2, 3)))


def resnet(rows, stem, classes, unit_class=Bottleneck):
  return randomize(ResNet(unit_class, rows, stem, classes).eval())


def randomize(module):
  """Sets random weights, including batch-norm statistics, that keep activations near 1."""
  generator = torch.Generator().manual_seed(0)
  for name, tensor in module.state_dict().items():
    if not tensor.is_floating_point():
      continue
    if tensor.ndim > 1:
      tensor.normal_(0, (2 / tensor[0].numel()) ** 0.5, generator=generator)
    elif name.endswith('running_var') or (name.endswith('weight') and tensor.ndim == 1):
      tensor.uniform_(0.5, 2, generator=generator)
    else:
      tensor.normal_(0, 0.2, generator=generator)
  return module


def logits(module, images):
  """Returns the logits, float32 [N, K], of images float32 [N, H, W, 3]."""
  with torch.inference_mode():
    return module(torch.from_numpy(images).permute(0, 3, 1, 2)).numpy()
