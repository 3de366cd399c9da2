"""Reader of images of others, in every format; damage mostly of headers."""

import functools
import io
import pathlib

import numpy as np
import PIL.features
import PIL.Image

from tests.fuzzing import containers, damage
from tests.fuzzing.execution import Reader
from vgg_slim.preprocessing import host

_RGB = np.arange(16 * 12 * 3, dtype=np.uint8).reshape(16, 12, 3)
_DEEP = (np.arange(16 * 12, dtype=np.uint16) * 300).reshape(16, 12)
# Format -> what to save it with: mode or array, and options.
_KINDS: dict[str, tuple[tuple[str, dict], ...]] = {
  'PNG': (
    ('RGB', {}),
    ('P', {'transparency': 1}),
    ('I;16', {}),
    ('RGBA', {'optimize': True}),
    ('1', {}),
  ),
  'JPEG': (('RGB', {}), ('L', {'progressive': True}), ('CMYK', {})),
  'MPO': (('RGB', {'save_all': True}),),
  'GIF': (('P', {}), ('P', {'save_all': True, 'loop': 0})),
  'BMP': (('RGB', {}), ('P', {}), ('1', {})),
  'TIFF': (
    ('RGB', {}),
    ('RGB', {'compression': 'tiff_lzw'}),
    ('RGB', {'compression': 'jpeg'}),
    ('I;16', {}),
    ('F', {'compression': 'tiff_adobe_deflate'}),
    ('1', {'compression': 'group4'}),
  ),
  'WEBP': (('RGB', {}), ('RGBA', {'lossless': True})),
  'PPM': (('RGB', {}), ('L', {}), ('1', {}), ('I', {})),
  'TGA': (('RGB', {}), ('P', {}), ('RGB', {'compression': 'tga_rle'})),
  'JPEG2000': (('RGB', {}), ('L', {'no_jp2': True})),
  'AVIF': (('RGB', {}),),
}


def make_readers(folder: pathlib.Path) -> dict[str, Reader]:
  """Writes an honest image of every format into `folder`; returns the readers by name."""
  readers = {}
  PIL.Image.init()
  for name, kinds in _KINDS.items():
    if name not in PIL.Image.SAVE:
      continue
    path = folder / name
    samples = tuple(_save(name, mode, options) for mode, options in kinds)
    path.write_bytes(samples[0])
    how: damage.Damage = damage.of_bytes
    if name == 'PNG':
      how = damage.either(damage.of_bytes, containers.in_png(damage.of_bytes))
    readers[name] = Reader(path, functools.partial(_read, path), how, samples)
  return readers


def _read(path: pathlib.Path) -> None:
  stored = host.read_image(path.read_bytes(), pixel_range=(0, 255))
  host.decode_rgb(stored.encoded)


def _save(name: str, mode: str, options: dict) -> bytes:
  if mode == 'I;16' or (mode == 'I' and name == 'PPM'):
    image = PIL.Image.fromarray(_DEEP.astype(np.int32) if mode == 'I' else _DEEP)
  else:
    image = PIL.Image.fromarray(_RGB).convert(mode)
  if options.get('save_all'):
    options = {**options, 'append_images': [image.rotate(180)]}
  buffer = io.BytesIO()
  image.save(buffer, name, **options)
  return buffer.getvalue()
