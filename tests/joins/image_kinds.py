"""Image files of all common kinds, drawn so that errors in reading them are visible.

Each image is brighter at its top left than at its bottom right, and its channels differ. So an
image changes if it is not rotated, is read as BGR, loses its alpha channel or is scaled wrongly.
"""

import io
import struct
import zlib

import numpy as np
from PIL import Image

_ORIENTATION = 0x0112


def make_files(seed: int, side: int) -> dict[str, bytes]:
  """Returns one file of every kind, with the kind as the stem of its name.

  Args:
    seed: seed of the content.
    side: approximate smaller side, in pixels; no two kinds have the same height and width.

  Returns:
    Content of each file by its name.
  """
  rng = np.random.default_rng(seed)

  def draw(extra_height: int = 0, extra_width: int = 0) -> np.ndarray:
    return _draw(rng, side + extra_height, side + extra_width)

  rgb = draw(0, 9)
  gray = draw(3, 14)[..., 0]
  alpha = draw(0, 21)[..., :1]
  return {
    'rgb.jpg': _save(rgb, 'JPEG'),
    'exif_6.jpg': _rotated_jpeg(draw(4, 31)),
    'rgba.png': _save(np.concatenate([draw(0, 21), alpha], axis=2), 'PNG'),
    'palette.png': _save(Image.fromarray(draw(13, 0)).quantize(64), 'PNG'),
    'gray.png': _save(gray, 'PNG'),
    'deep.png': _deep_png(draw(17, 2)),
    'cmyk.jpg': _save(Image.fromarray(draw(2, 27)).convert('CMYK'), 'JPEG'),
    'still.gif': _save(Image.fromarray(draw(23, 1)).quantize(64), 'GIF'),
    'still.webp': _save(draw(5, 6), 'WEBP', lossless=True),
    'odd.jpg': _save(draw(side // 2 + 1, 1), 'JPEG'),
  }


def _draw(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
  """uint8 [height, width, 3]: smooth blobs on a gradient, without noise that JPEG would change."""
  y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
  pixels = np.stack([200 - 120 * y - 40 * x, 180 - 60 * x, 90 + 50 * y], axis=2)
  for _ in range(4):
    center, radius, color = rng.uniform(0, 1, 2), rng.uniform(0.1, 0.4), rng.uniform(-90, 90, 3)
    distance = (y - center[0]) ** 2 + (x - center[1]) ** 2
    pixels += np.exp(-distance / radius**2)[..., np.newaxis] * color
  return np.clip(pixels, 0, 255).astype(np.uint8)


def _save(pixels: np.ndarray | Image.Image, image_format: str, **options) -> bytes:
  image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
  stream = io.BytesIO()
  image.save(stream, image_format, **options)
  return stream.getvalue()


def _rotated_jpeg(pixels: np.ndarray) -> bytes:
  """A JPEG file like those of a phone in portrait orientation, with the rotation as an EXIF tag."""
  exif = Image.Exif()
  exif[_ORIENTATION] = 6
  return _save(np.rot90(pixels), 'JPEG', exif=exif)


def _deep_png(pixels: np.ndarray) -> bytes:
  """An RGB PNG file with 16 bits per channel, which Pillow cannot write."""
  height, width, _ = pixels.shape
  rows = (pixels.astype('>u2') * 257).reshape(height, -1)
  raw = b''.join(b'\0' + row.tobytes() for row in rows)
  header = struct.pack('>IIBBBBB', width, height, 16, 2, 0, 0, 0)
  chunks = ((b'IHDR', header), (b'IDAT', zlib.compress(raw)), (b'IEND', b''))
  return b'\x89PNG\r\n\x1a\n' + b''.join(
    struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
    for kind, data in chunks
  )
