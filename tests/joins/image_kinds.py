"""Image files of every kind that people have, drawn so that a mistake in reading them shows.

Each image is brighter at its top left than at its bottom right, and its channels differ: an image
that is not rotated, is read as BGR, loses its alpha or has its range squeezed looks like another.
"""

import io
import struct
import zlib

import numpy as np
from PIL import Image

_ORIENTATION = 0x0112


def make_files(seed: int, side: int) -> dict[str, bytes]:
  """One file of every kind, by a file name whose stem says the kind.

  Args:
    seed: Seed of the content.
    side: About the smaller side, in pixels; no two kinds have the same height and width.

  Returns:
    The bytes of each file by its name.
  """
  rng = np.random.default_rng(seed)

  def draw(extra_height: int = 0, extra_width: int = 0) -> np.ndarray:
    return _draw(rng, side + extra_height, side + extra_width)

  rgb = draw(0, 9)
  grey = draw(3, 14)[..., 0]
  alpha = draw(0, 21)[..., :1]
  return {
    'rgb.jpg': _save(rgb, 'JPEG'),
    'exif_6.jpg': _rotated_jpeg(draw(4, 31)),
    'rgba.png': _save(np.concatenate([draw(0, 21), alpha], axis=2), 'PNG'),
    'palette.png': _save(Image.fromarray(draw(13, 0)).quantize(64), 'PNG'),
    'grey.png': _save(grey, 'PNG'),
    'deep.png': _deep_png(draw(17, 2)),
    'cmyk.jpg': _save(Image.fromarray(draw(2, 27)).convert('CMYK'), 'JPEG'),
    'still.gif': _save(Image.fromarray(draw(23, 1)).quantize(64), 'GIF'),
    'still.webp': _save(draw(5, 6), 'WEBP', lossless=True),
    'odd.jpg': _save(draw(side // 2 + 1, 1), 'JPEG'),
  }


def _draw(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
  """uint8 [height, width, 3]: smooth blobs over a gradient, without noise that JPEG would move."""
  y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
  pixels = np.stack([200 - 120 * y - 40 * x, 180 - 60 * x, 90 + 50 * y], axis=2)
  for _ in range(4):
    center, radius, colour = rng.uniform(0, 1, 2), rng.uniform(0.1, 0.4), rng.uniform(-90, 90, 3)
    distance = (y - center[0]) ** 2 + (x - center[1]) ** 2
    pixels += np.exp(-distance / radius**2)[..., np.newaxis] * colour
  return np.clip(pixels, 0, 255).astype(np.uint8)


def _save(pixels: np.ndarray | Image.Image, image_format: str, **options) -> bytes:
  image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
  stream = io.BytesIO()
  image.save(stream, image_format, **options)
  return stream.getvalue()


def _rotated_jpeg(pixels: np.ndarray) -> bytes:
  """A JPEG file as a phone held upright writes it: rows lie, the tag says how to turn them."""
  exif = Image.Exif()
  exif[_ORIENTATION] = 6
  return _save(np.rot90(pixels), 'JPEG', exif=exif)


def _deep_png(pixels: np.ndarray) -> bytes:
  """A PNG file of 16 bits a channel, which Pillow does not write in RGB."""
  height, width, _ = pixels.shape
  rows = (pixels.astype('>u2') * 257).reshape(height, -1)
  raw = b''.join(b'\0' + row.tobytes() for row in rows)
  header = struct.pack('>IIBBBBB', width, height, 16, 2, 0, 0, 0)
  chunks = ((b'IHDR', header), (b'IDAT', zlib.compress(raw)), (b'IEND', b''))
  return b'\x89PNG\r\n\x1a\n' + b''.join(
    struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
    for kind, data in chunks
  )
