"""VGG and ResNet image classification in TensorFlow-1.x graph style."""

__version__ = '0.1.0'
