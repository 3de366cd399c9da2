"""Makes images upright, opaque, and gray or RGB. No TensorFlow."""

from PIL import ExifTags, Image

ORIENTATION_TAG = int(ExifTags.Base.Orientation)  # of EXIF data
_MODES = {'1': '1 bit', 'P': 'palette', 'PA': 'palette'}
# EXIF orientation -> transposition that makes the image upright; other values need none.
_UPRIGHT: dict[int | None, Image.Transpose] = {
  2: Image.Transpose.FLIP_LEFT_RIGHT,
  3: Image.Transpose.ROTATE_180,
  4: Image.Transpose.FLIP_TOP_BOTTOM,
  5: Image.Transpose.TRANSPOSE,
  6: Image.Transpose.ROTATE_270,
  7: Image.Transpose.TRANSVERSE,
  8: Image.Transpose.ROTATE_90,
}
_SWAPPING = (5, 6, 7, 8)


def orientation_of(image: Image.Image) -> int | None:
  """Returns the EXIF orientation of an image; None if there is none, or the data are damaged."""
  try:
    return image.getexif().get(ORIENTATION_TAG)
  except Exception:  # of many types, for damaged EXIF data
    return None


def is_turned(orientation: int | None) -> bool:
  """Returns whether an image of this EXIF orientation has to be turned to be upright."""
  return orientation in _UPRIGHT


def swaps_sides(orientation: int | None) -> bool:
  """Returns whether turning an image of this orientation upright exchanges height and width."""
  return orientation in _SWAPPING


def make_plain(image: Image.Image, orientation: int | None) -> tuple[Image.Image, list[str]]:
  """Returns an upright image of mode L or RGB, and descriptions of the repairs."""
  fixes = []
  if image.mode not in ('L', 'RGB', 'LA', 'RGBA'):
    fixes.append(_MODES.get(image.mode, image.mode))
  target_mode = 'L' if image.mode in ('1', 'L', 'LA', 'La') else 'RGB'
  if image.has_transparency_data:
    fixes.append('alpha')
    image = _compose_on_white(image)
  if image.mode != target_mode:
    image = image.convert(target_mode)
  if orientation in _UPRIGHT:
    fixes.append('EXIF rotation')
    image = image.transpose(_UPRIGHT[orientation])
  return image, fixes


def _compose_on_white(image: Image.Image) -> Image.Image:
  """Shows an image as browsers do; transparent pixels often hide colors that nobody ever saw."""
  image = image.convert('RGBA')
  return Image.alpha_composite(Image.new('RGBA', image.size, 'white'), image)
