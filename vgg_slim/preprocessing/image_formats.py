"""Which files are images, which of these are read, and what to do about others. No TensorFlow."""

import functools
import io
import struct

from PIL import Image, ImageFile

from vgg_slim.errors import DataError

# Extension -> Pillow's names of the formats it may stand for.
EXTENSIONS = {
  **dict.fromkeys(('.jpg', '.jpeg', '.jpe', '.jfif'), ('JPEG', 'MPO')),
  **dict.fromkeys(('.png', '.apng'), ('PNG',)),
  **dict.fromkeys(('.bmp', '.dib'), ('BMP', 'DIB')),
  '.gif': ('GIF',),
  '.webp': ('WEBP',),
  **dict.fromkeys(('.tif', '.tiff'), ('TIFF',)),
  **dict.fromkeys(('.pbm', '.pgm', '.ppm', '.pnm'), ('PPM',)),
  '.tga': ('TGA',),
  **dict.fromkeys(('.jp2', '.j2k', '.jpx', '.jpf'), ('JPEG2000',)),
  '.avif': ('AVIF',),
  **dict.fromkeys(('.heic', '.heif', '.hif'), ('HEIF',)),
}
# Images that are not read are listed all the same: they are left out by name and with a reason.
_DRAWINGS = ('.ai', '.cdr', '.emf', '.eps', '.ps', '.svg', '.svgz', '.wmf')
_RAW_NIKON_CANON_SONY = ('.nef', '.nrw', '.cr2', '.cr3', '.arw', '.sr2', '.srf')
_RAW_OTHERS = ('.3fr', '.dng', '.erf', '.iiq', '.orf', '.pef', '.raf', '.rw2', '.srw', '.x3f')
_LAYERS = ('.kra', '.ora', '.psb', '.psd', '.xcf')
_RARE = ('.cur', '.dcm', '.dds', '.djvu', '.exr', '.icns', '.ico', '.jxl', '.jxr', '.pcx', '.qoi')
_UNREAD_EXTENSIONS = frozenset(_DRAWINGS + _RAW_NIKON_CANON_SONY + _RAW_OTHERS + _LAYERS + _RARE)
# First bytes of files that are images whatever their extension.
_SIGNATURES = (b'\xff\xd8\xff', b'\x89PNG\r\n\x1a\n', b'GIF8', b'BM', b'II*\0', b'MM\0*')
_PREFERRED = ('JPEG', 'PNG')  # tried first

GET_AGAIN = 'copy, download or save the file again'
_AS_PNG = 'save it as PNG or JPEG'
_DEVELOP = 'raw camera file: develop it, and save it as JPEG, TIFF or PNG'
_CANON = b'II*\0\x10\0\0\0CR'
# Start of a file that Pillow does not read -> what it is, and what to do.
_UNREAD = (
  (b'8BPS', f'Photoshop file: {_AS_PNG}'),
  (b'gimp xcf', f'GIMP file: {_AS_PNG}'),
  (b'\xff\x0a', f'JPEG XL file: {_AS_PNG}'),
  (b'\0\0\0\x0cJXL ', f'JPEG XL file: {_AS_PNG}'),
  (b'II\xbc\x01', f'JPEG XR file: {_AS_PNG}'),
  (_CANON, _DEVELOP),
  (b'FUJIFILM', _DEVELOP),
  (b'IIR', _DEVELOP),
  (b'MMOR', _DEVELOP),
  (b'IIU\0', _DEVELOP),
  (b'FOVb', _DEVELOP),
  (b'%!PS', f'PostScript drawing: {_AS_PNG}'),
  (b'%PDF', f'PDF document: {_AS_PNG}'),
  (b'\x1f\x8b', f'compressed file: unpack it; if it is a drawing (SVGZ), {_AS_PNG}'),
  (b'\0\0\1\0', f'icon file: {_AS_PNG}'),
)
_ZEROS = f'the file holds only zeros; {GET_AGAIN}'
_WEB_PAGE = 'a web page instead of an image: download the file again'
_DRAWING = f'SVG drawing: {_AS_PNG}'
_OTHER = f'not an image that Pillow can read; {GET_AGAIN}, or {_AS_PNG}'
_HEIF_BRANDS = (b'heic', b'heix', b'heim', b'heis', b'hevc', b'hevx', b'mif1', b'msf1')
_DNG_VERSION, _NEW_SUBFILE_TYPE = 50706, 254  # TIFF tags
_TEXT_HEAD = 1024  # bytes in which markup is searched


def is_image_file(extension: str, head: bytes) -> bool:
  """Returns whether a file is an image by its extension, in either case, or by its first bytes."""
  is_webp = head[:4] == b'RIFF' and head[8:12] == b'WEBP'
  return has_image_extension(extension) or head.startswith(_SIGNATURES) or is_webp


def has_image_extension(extension: str) -> bool:
  """Returns whether an extension, in either case, is that of an image, read or not."""
  extension = extension.lower()
  return extension in EXTENSIONS or extension in _UNREAD_EXTENSIONS


def open_image(data: bytes) -> ImageFile.ImageFile:
  """Opens an image by its content, reading only its header.

  Does what `Image.open` does, but without Pillow's limit on the number of pixels, which is a global
  variable.

  Raises:
    DataError: the data are not an image of a format that is read; says what to do.
  """
  for name in _formats():
    factory, accepts = Image.OPEN[name]
    try:
      accepted = accepts is None or accepts(data[:16])
      if not accepted or isinstance(accepted, str):  # what would have to be installed
        continue
      image = factory(io.BytesIO(data), '')
    except (SyntaxError, IndexError, TypeError, struct.error):
      continue
    if name == 'TIFF' and _is_raw_photograph(image, data):
      raise DataError(_DEVELOP)
    return image
  raise DataError(_explain(data))


@functools.cache
def _formats() -> list[str]:
  """Returns raster formats only: Pillow passes EPS, for one, to a program that executes it."""
  Image.init()
  _register_heif()
  known = {name for names in EXTENSIONS.values() for name in names}
  return sorted(known & set(Image.OPEN), key=lambda name: (name not in _PREFERRED, name))


@functools.cache
def _register_heif() -> bool:
  """Has Pillow read HEIC files, and returns True, if the optional package for them is installed."""
  try:
    import pillow_heif
  except ImportError:
    return False
  pillow_heif.register_heif_opener()
  return True


def _is_raw_photograph(image: ImageFile.ImageFile, data: bytes) -> bool:
  """Whether a TIFF file is a camera's raw file, of which Pillow would read the preview."""
  tags = image.tag_v2  # type: ignore[attr-defined]
  is_preview = bool(tags.get(_NEW_SUBFILE_TYPE, 0) & 1)
  return data.startswith(_CANON) or _DNG_VERSION in tags or is_preview


def _explain(data: bytes) -> str:
  """Returns what data are that no format accepts, and what to do about them."""
  if data[4:8] == b'ftyp' and data[8:12] == b'crx ':
    return _DEVELOP
  if data[4:8] == b'ftyp' and data[8:12] in _HEIF_BRANDS:
    if _register_heif():
      return f'damaged HEIC image: copy it again, or {_AS_PNG}'
    return f'HEIC image, which pillow-heif reads: {_AS_PNG}, or: pip install pillow-heif'
  text = data[:_TEXT_HEAD].lower()
  if b'<svg' in text:
    return _DRAWING
  if b'<!doctype html' in text or b'<html' in text:
    return _WEB_PAGE
  if not any(data[:_TEXT_HEAD]) and not any(data):
    return _ZEROS
  return next((reason for start, reason in _UNREAD if data.startswith(start)), _OTHER)
