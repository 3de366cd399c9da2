"""Constants that several modules need."""

IMAGENET_RGB_MEAN = (123.68, 116.779, 103.939)  # R, G, B; 0..255
IMAGE_SIDE = 224  # pixels; side of the crops in Simonyan & Zisserman (2015), 2.1
TRAIN_SCALE = 256  # pixels; the smaller of the paper's fixed S for crops of IMAGE_SIDE (3.1)
LARGEST_SCALE = 2**15  # pixels; numbers of pixels of a square are 32-bit integers in TensorFlow
MOST_WORKERS = 1024  # processes or threads of one machine; many more make it stand still
FC_UNITS = 4096  # of fc6 and fc7 in Simonyan & Zisserman (2015), Table 1
NUM_IMAGENET_CLASSES = 1000
POOL_ROUNDINGS = ('floor', 'ceil')  # of the output sides of pools, see `ops.layers.mpool_op`
