"""The image functions of `scipy.misc`, which SciPy removed in 2019, on Pillow."""

from typing import BinaryIO

import numpy as np
import PIL.Image

_FILTERS = {
  'nearest': PIL.Image.Resampling.NEAREST,
  'lanczos': PIL.Image.Resampling.LANCZOS,
  'bilinear': PIL.Image.Resampling.BILINEAR,
  'bicubic': PIL.Image.Resampling.BICUBIC,
  'cubic': PIL.Image.Resampling.BICUBIC,
}


def imread(name: str | BinaryIO, flatten: bool = False, mode: str | None = None) -> np.ndarray:
  """Returns the pixels of an image file, float32 gray values with `flatten`."""
  with PIL.Image.open(name) as image:
    return fromimage(image, flatten, mode)


def fromimage(im: PIL.Image.Image, flatten: bool = False, mode: str | None = None) -> np.ndarray:
  """Returns the pixels of an image; palettes become RGB or RGBA."""
  if mode is None and im.mode == 'P':
    mode = 'RGBA' if 'transparency' in im.info else 'RGB'
  if mode is not None and mode != im.mode:
    im = im.convert(mode)
  if flatten:
    im = im.convert('F')
  elif im.mode == '1':
    im = im.convert('L')
  return np.array(im)


def bytescale(
  data: np.ndarray,
  cmin: float | None = None,
  cmax: float | None = None,
  high: int = 255,
  low: int = 0,
) -> np.ndarray:
  """Returns `data` as uint8, with cmin (its minimum) as `low` and cmax (its maximum) as `high`."""
  data = np.asarray(data)
  if data.dtype == np.uint8:
    return data
  least = data.min() if cmin is None else cmin
  most = data.max() if cmax is None else cmax
  scale = (high - low) / (float(most - least) or 1.0)
  return (((data - least) * scale + low).clip(low, high) + 0.5).astype(np.uint8)


def toimage(
  arr: np.ndarray,
  high: int = 255,
  low: int = 0,
  cmin: float | None = None,
  cmax: float | None = None,
  mode: str | None = None,
) -> PIL.Image.Image:
  """Returns an array [H, W], [H, W, 3 or 4] or [3 or 4, H, W] as an image.

  The values of an array that is not uint8 are stretched to low..high.
  """
  arr = np.asarray(arr)
  if mode == 'F':
    return PIL.Image.fromarray(arr.astype(np.float32))
  if arr.ndim == 3 and arr.shape[2] != 3 and (arr.shape[0] == 3 or arr.shape[2] != 4):
    arr = arr.transpose(1, 2, 0)
  image = PIL.Image.fromarray(bytescale(arr, cmin, cmax, high, low))
  return image.convert(mode) if mode else image


def imsave(name: str | BinaryIO, arr: np.ndarray, format: str | None = None) -> None:
  """Writes an array as an image file; values that are not uint8 are stretched to 0..255."""
  toimage(arr).save(name, format)


def imresize(
  arr: np.ndarray,
  size: int | float | tuple[int, int],
  interp: str = 'bilinear',
  mode: str | None = None,
) -> np.ndarray:
  """Returns a resized image.

  Args:
    arr: array as for `toimage`.
    size: percentage (int), factor (float), or (height, width).
    interp: nearest, lanczos, bilinear, bicubic or cubic.
    mode: Pillow's mode of the image.
  """
  image = toimage(arr, mode=mode)
  if isinstance(size, (int, np.integer)):
    width, height = (int(side * float(size) / 100) for side in image.size)
  elif isinstance(size, (float, np.floating)):
    width, height = (int(side * float(size)) for side in image.size)
  else:
    height, width = map(int, size)
  return fromimage(image.resize((width, height), _FILTERS[interp]))


def imrotate(arr: np.ndarray, angle: float, interp: str = 'bilinear') -> np.ndarray:
  """Returns an image rotated counterclockwise by an angle in degrees, of the same size."""
  return fromimage(toimage(arr).rotate(angle, resample=_FILTERS[interp]))


def imshow(arr: np.ndarray) -> None:
  """Opens an image in the viewer of the desktop."""
  toimage(arr).show()
