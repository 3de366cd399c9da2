"""Numbers that more than one module needs."""

IMAGENET_RGB_MEAN = (123.68, 116.779, 103.939)  # R, G, B; 0..255
IMAGE_SIDE = 224  # pixels, the crop of Simonyan & Zisserman (2015), 2.1
TRAIN_SCALE = 256  # pixels, the paper's smaller S for crops of IMAGE_SIDE (3.1)
NUM_IMAGENET_CLASSES = 1000
POOL_ROUNDINGS = ('floor', 'ceil')  # of pools' output sides; see `ops.layers.mpool_op`
