"""Decodes image files of four formats in the graph, for exports that take raw files.

`build_image` does what `host.prepare` does, with these differences:

- A JPEG file that has to be turned, converted from CMYK or reduced is not encoded again in between.
  On photographs this changes pixels by about one gray level on average.
- The orientation is read from EXIF data in a JPEG's APP1 or a PNG's eXIf, not from XMP or text.
- JPEG, PNG, GIF and BMP files are decoded. Other formats are refused with a message, and so are GIF
  files with transparent or partial first frames, CMYK JPEG files without the Adobe marker, and BMP
  files that are compressed or have a palette: TensorFlow would decode these to wrong pixels without
  an error.

`host.read_image` also detects damage that these decoders ignore, such as wrong checksums.
"""

from collections.abc import Callable

from vgg_slim.compat import tf
from vgg_slim.preprocessing import graph
from vgg_slim.preprocessing.description import Preprocessing, Range
from vgg_slim.preprocessing.sample_depth import FULL_RANGE
from vgg_slim.preprocessing.upright_images import ORIENTATION_TAG

_SHORT, _LONG = 3, 4  # EXIF value types
_IFD_ENTRY_BYTES = 12
_EXIF_HEADER = b'Exif\0\0'
_JPEG_START_OF_SCAN, _JPEG_APP1 = 0xDA, 0xE1
_GIF_EXTENSION, _GIF_IMAGE = 0x21, 0x2C
_GIF_GRAPHIC_CONTROL = 0xF9
_PNG_FIRST_CHUNK_OFFSET = 8
_PNG_BIT_DEPTH_OFFSET, _PNG_COLOR_TYPE_OFFSET = 24, 25
_PNG_COLOR_TYPES_WITH_ALPHA = (4, 6)
_ADOBE_MARKER = b'\xff\xee\x00\x0eAdobe'
_BMP_BITS_OFFSET, _BMP_COMPRESSION_OFFSET = 28, 30


def build_image(encoded: tf.Tensor, rules: Preprocessing) -> tf.Tensor:
  """Adds the preprocessing of one file up to, but not including, the crop and normalization.

  It takes a single file because the images of a request may differ in size; `tf.map_fn` runs it,
  and the network after it, over a batch.

  Args:
    encoded: content of a file, string [].
    rules: description of a checkpoint's preprocessing.

  Returns:
    float32 [h, w, 3], RGB, 0..255, with min(h, w) == `rules.test_scale`.
  """
  image = build_pixels(encoded, rules.pixel_range)
  if rules.stored_side is not None:
    image = _reduce_to(image, rules.stored_side, rules.resize_filter)
  image = graph.resize(image, rules.test_scale, rules)
  return tf.ensure_shape(image, [None, None, 3])


def build_pixels(encoded: tf.Tensor, pixel_range: Range | None = None) -> tf.Tensor:
  """Decodes a file to upright RGB, composed on white.

  Args:
    encoded: content of the file, string [].
    pixel_range: values that become 0 and 255 in a 16-bit PNG file that does not say.

  Returns:
    uint8 [H, W, 3].
  """
  contents = tf.cast(tf.io.decode_raw(encoded, tf.uint8), tf.int32)
  is_jpeg = _starts_with(encoded, b'\xff\xd8\xff')
  is_png = _starts_with(encoded, b'\x89PNG\r\n\x1a\n')
  is_gif = _starts_with(encoded, b'GIF8')
  is_bmp = _starts_with(encoded, b'BM')
  is_known = tf.Assert(
    is_jpeg | is_png | is_gif | is_bmp,
    ['Only JPEG, PNG, GIF and BMP files are decoded here; convert the image first.'],
  )
  with tf.control_dependencies([is_known]):
    pixels = tf.case(
      [
        (is_jpeg, lambda: _decode_jpeg(encoded)),
        (is_png, lambda: _decode_png(encoded, contents, pixel_range)),
        (is_gif, lambda: _decode_gif(encoded, contents)),
      ],
      default=lambda: _decode_bmp(encoded, contents),
    )
  orientation = tf.case(
    [
      (is_jpeg, lambda: _orientation_of_jpeg(contents)),
      (is_png, lambda: _orientation_of_png(contents)),
    ],
    default=lambda: tf.constant(1),
  )
  return tf.ensure_shape(_turn_upright(pixels, orientation), [None, None, 3])


def _starts_with(encoded: tf.Tensor, signature: bytes) -> tf.Tensor:
  # Padded, because `substr` fails for files shorter than the signature.
  head = tf.strings.substr(tf.strings.join([encoded, ' ' * len(signature)]), 0, len(signature))
  return tf.equal(head, tf.constant(signature))


def _reduce_to(image: tf.Tensor, side: int, resize_filter: str) -> tf.Tensor:
  def reduced() -> tf.Tensor:
    pixels = tf.round(graph.resize_smaller_side(image, side, resize_filter))
    return tf.cast(tf.clip_by_value(pixels, 0, 255), tf.uint8)

  is_larger = tf.reduce_min(tf.shape(image)[:2]) > side
  return tf.cond(is_larger, reduced, lambda: tf.identity(image))


def _decode_jpeg(encoded: tf.Tensor) -> tf.Tensor:
  # Without the marker TensorFlow takes the colors as they are; Pillow takes them to be inverted.
  is_cmyk = tf.equal(tf.io.extract_jpeg_shape(encoded)[2], 4)
  check = tf.Assert(
    ~is_cmyk | _contains(encoded, _ADOBE_MARKER),
    ['CMYK JPEG files without the Adobe marker are not decoded here; convert the image to RGB.'],
  )
  with tf.control_dependencies([check]):
    return graph.decode_rgb(encoded)


def _decode_png(encoded: tf.Tensor, contents: tf.Tensor, pixel_range: Range | None) -> tf.Tensor:
  is_16_bit = tf.equal(_byte(contents, _PNG_BIT_DEPTH_OFFSET), 16)

  def decode(channels: int) -> tf.Tensor:
    return tf.cond(
      is_16_bit,
      lambda: _decode_16_bit_png(encoded, contents, channels, pixel_range),
      lambda: tf.io.decode_png(encoded, channels=channels),
    )

  def on_white() -> tf.Tensor:
    rgba = tf.cast(decode(channels=4), tf.int32)
    color, alpha = rgba[..., :3], rgba[..., 3:]
    # Division by 255, rounded to nearest, in the integer arithmetic of Pillow's alpha_composite.
    scaled = color * alpha + 255 * (255 - alpha) + 128
    return tf.cast((scaled // 2 + 128 * scaled) // 2**15, tf.uint8)

  # For a file without alpha TensorFlow would fill in 15 for 4-bit and 1 for 1-bit samples, not 255.
  color_type = _byte(contents, _PNG_COLOR_TYPE_OFFSET)
  has_alpha = tf.reduce_any(tf.equal(color_type, _PNG_COLOR_TYPES_WITH_ALPHA))
  has_alpha |= _find_png_chunk(contents, b'tRNS', b'IDAT')[0]
  return tf.cond(has_alpha, on_white, lambda: decode(channels=3))


def _decode_16_bit_png(
  encoded: tf.Tensor, contents: tf.Tensor, channels: int, pixel_range: Range | None
) -> tf.Tensor:
  """Scales the range that `sample_depth` would choose to uint8, 0..255."""
  values = tf.cast(tf.io.decode_png(encoded, channels=channels, dtype=tf.uint16), tf.float64)
  is_stated, at = _find_png_chunk(contents, b'sBIT', b'IDAT')
  num_channels = tf.where(is_stated, _number(contents, at - 8, 4, True), 1)
  bits = tf.reduce_max(_byte(contents, at + tf.range(tf.clip_by_value(num_channels, 1, 4))))
  sensor_white = tf.cast(tf.bitwise.left_shift(1, tf.minimum(bits, 16)) - 1, tf.float64)
  is_of_sensor = is_stated & (tf.reduce_max(values[..., :3]) <= sensor_white)
  default = tf.constant(pixel_range or FULL_RANGE, tf.float64)
  stated = tf.where(is_of_sensor, tf.stack([0, sensor_white]), tf.constant(FULL_RANGE, tf.float64))
  low, high = tf.unstack(tf.where(is_stated, stated, default))
  scaled = tf.floor((values - low) * 256 / (high - low + 1))
  return tf.cast(tf.clip_by_value(scaled, 0, 255), tf.uint8)


def _contains(encoded: tf.Tensor, part: bytes) -> tf.Tensor:
  return tf.size(tf.strings.split(encoded[tf.newaxis], part, 1).values) > 1


def _find_png_chunk(contents: tf.Tensor, name: bytes, end: bytes) -> tuple[tf.Tensor, tf.Tensor]:
  """Searches a PNG file for a chunk `name` before the first chunk `end`.

  Returns:
    Whether there is one, bool [], and the offset of its data, int32 [].
  """

  def is_called(at: tf.Tensor, name: bytes) -> tf.Tensor:
    return tf.reduce_all(
      [tf.equal(_byte(contents, at + 4 + i), byte) for i, byte in enumerate(name)]
    )

  def step(at: tf.Tensor) -> tf.Tensor:
    length = _number(contents, at, 4, True)
    # 12 bytes for length, name and checksum. A negative (overflowed) length ends the search.
    return at + 12 + tf.where(length < 0, tf.size(contents), length)

  at = tf.while_loop(
    lambda at: (at < tf.size(contents)) & ~is_called(at, name) & ~is_called(at, end),
    step,
    [tf.constant(_PNG_FIRST_CHUNK_OFFSET)],
  )
  return is_called(at, name), at + 8


def _decode_gif(encoded: tf.Tensor, contents: tf.Tensor) -> tf.Tensor:
  is_transparent, is_partial = _inspect_gif(contents)
  checks = [
    tf.Assert(
      ~is_transparent,
      ['GIF files with transparency are not decoded here; convert the image to PNG.'],
    ),
    tf.Assert(
      ~is_partial, ['The first frame of the GIF file does not cover the image; convert it to PNG.']
    ),
  ]
  with tf.control_dependencies(checks):
    return tf.image.decode_gif(encoded)[0]


def _inspect_gif(contents: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
  """Returns whether the first frame has transparency, and whether it is smaller than the image."""
  has_palette, palette_bits = contents[10] // 128, contents[10] % 8 + 1
  start = 13 + has_palette * 3 * tf.bitwise.left_shift(1, palette_bits)

  def skip_extension(at: tf.Tensor, is_transparent: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    is_control = tf.equal(_byte(contents, at + 1), _GIF_GRAPHIC_CONTROL)
    is_set = tf.equal(_byte(contents, at + 3) % 2, 1)
    end = tf.while_loop(
      lambda block: _byte(contents, block) > 0,
      lambda block: [block + 1 + _byte(contents, block)],
      [at + 2],
    )
    return end + 1, is_transparent | (is_control & is_set)

  at, is_transparent = tf.while_loop(
    lambda at, _: tf.equal(_byte(contents, at), _GIF_EXTENSION),
    skip_extension,
    [start, tf.constant(False)],
  )
  # Left, top, width and height of the frame; width and height of the image.
  frame = [_number(contents, at + offset, 2, False) for offset in (1, 3, 5, 7)]
  image = [0, 0, _number(contents, 6, 2, False), _number(contents, 8, 2, False)]
  return is_transparent, tf.reduce_any(tf.not_equal(tf.stack(frame), tf.stack(image)))


def _decode_bmp(encoded: tf.Tensor, contents: tf.Tensor) -> tf.Tensor:
  bits = _number(contents, _BMP_BITS_OFFSET, 2, False)
  compression = _number(contents, _BMP_COMPRESSION_OFFSET, 4, False)
  check = tf.Assert(
    tf.equal(bits, 24) & tf.equal(compression, 0),
    [
      'Only uncompressed 24-bit BMP files are decoded here; convert the image to PNG. Bits:',
      bits,
    ],
  )
  with tf.control_dependencies([check]):
    return tf.image.decode_bmp(encoded, channels=3)


def _orientation_of_jpeg(contents: tf.Tensor) -> tf.Tensor:
  """Returns the EXIF orientation of a JPEG file, int32 []; 1 if it has none."""

  def is_exif(at: tf.Tensor) -> tf.Tensor:
    matches = tf.equal(_byte(contents, at + 1), _JPEG_APP1)
    for offset, value in enumerate(_EXIF_HEADER):
      matches &= tf.equal(_byte(contents, at + 4 + offset), value)
    return matches

  def is_before_exif(at: tf.Tensor) -> tf.Tensor:
    is_segment = tf.equal(_byte(contents, at), 0xFF)
    is_end = tf.equal(_byte(contents, at + 1), _JPEG_START_OF_SCAN)
    return is_segment & ~is_end & ~is_exif(at)

  def length_of(at: tf.Tensor) -> tf.Tensor:
    is_padding = tf.equal(_byte(contents, at + 1), 0xFF)
    return tf.where(is_padding, 1, 2 + _number(contents, at + 2, 2, True))

  at = tf.while_loop(is_before_exif, lambda at: at + length_of(at), [tf.constant(2)])
  tiff = contents[at + 4 + len(_EXIF_HEADER) : at + length_of(at)]
  return tf.cond(is_exif(at), lambda: _orientation_of_tiff(tiff), lambda: tf.constant(1))


def _orientation_of_png(contents: tf.Tensor) -> tf.Tensor:
  """Returns the EXIF orientation of a PNG file, int32 [], from an eXIf chunk anywhere in it."""
  has_exif, at = _find_png_chunk(contents, b'eXIf', b'IEND')
  return tf.cond(has_exif, lambda: _orientation_of_tiff(contents[at:]), lambda: tf.constant(1))


def _orientation_of_tiff(contents: tf.Tensor) -> tf.Tensor:
  """Returns the value of the orientation tag in the first directory of EXIF data, int32 []."""
  # A final zero, so there is a byte to read even if the data are empty.
  contents = tf.concat([contents, [0]], 0)
  is_big_endian = tf.equal(_byte(contents, 0), ord('M'))
  directory = _number(contents, 4, 4, is_big_endian)
  count = _number(contents, directory, 2, is_big_endian)
  count = tf.minimum(count, tf.size(contents) // _IFD_ENTRY_BYTES)
  entries = directory + 2 + _IFD_ENTRY_BYTES * tf.range(count)
  is_orientation = tf.equal(_number(contents, entries, 2, is_big_endian), ORIENTATION_TAG)
  kind = _number(contents, entries + 2, 2, is_big_endian)
  value = tf.where(
    tf.equal(kind, _LONG),
    _number(contents, entries + 8, 4, is_big_endian),
    _number(contents, entries + 8, 2, is_big_endian),
  )
  is_valid = is_orientation & (tf.equal(kind, _SHORT) | tf.equal(kind, _LONG))
  values = tf.boolean_mask(value, is_valid)
  return tf.cond(tf.size(values) > 0, lambda: values[0], lambda: tf.constant(1))


def _byte(contents: tf.Tensor, at: tf.Tensor | int) -> tf.Tensor:
  """Returns the bytes at one or more offsets; 0 beyond the end, so every loop ends."""
  last = tf.size(contents) - 1
  inside = tf.cast((at >= 0) & (at <= last), tf.int32)
  return tf.gather(contents, tf.clip_by_value(at, 0, last)) * inside


def _number(
  contents: tf.Tensor, at: tf.Tensor | int, num_bytes: int, is_big_endian: tf.Tensor | bool
) -> tf.Tensor:
  """Returns integers of 2 or 4 bytes, int32; from 2**31 on they overflow and are negative."""
  values = [_byte(contents, at + offset) for offset in range(num_bytes)]
  big = sum(byte * 256 ** (num_bytes - 1 - i) for i, byte in enumerate(values))
  little = sum(byte * 256**i for i, byte in enumerate(values))
  return tf.where(tf.broadcast_to(is_big_endian, tf.shape(big)), big, little)


def _turn_upright(image: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
  """Turns an image upright; orientations other than 2 to 8 change nothing."""

  def is_one_of(*values: int) -> tf.Tensor:
    return tf.reduce_any(tf.equal(orientation, values))

  def apply_if(
    condition: tf.Tensor, change: Callable[[tf.Tensor], tf.Tensor], image: tf.Tensor
  ) -> tf.Tensor:
    return tf.cond(condition, lambda: change(image), lambda: tf.identity(image))

  image = apply_if(is_one_of(5, 6, 7, 8), lambda image: tf.transpose(image, [1, 0, 2]), image)
  image = apply_if(is_one_of(2, 3, 6, 7), lambda image: tf.reverse(image, [1]), image)
  return apply_if(is_one_of(3, 4, 7, 8), lambda image: tf.reverse(image, [0]), image)
