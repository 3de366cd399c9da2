"""Unusual and damaged files as people have them, each with the outcome that a person expects."""

import io
import struct
import zlib

import numpy as np
from PIL import Image, PngImagePlugin

from tests.data import fabricated
from tests.preprocessing.deep_files import PASSES

RGB = (np.add.outer(np.arange(24) * 4, np.arange(32) * 3)[..., np.newaxis] + (0, 30, 60)).astype(
  np.uint8
)
GRAY = RGB[..., 0]
IMAGE = Image.fromarray(RGB)

KEPT, IGNORED = 'kept', 'ignored'


def repaired(*fixes):
  return ('repaired', *fixes)


def left_out(reason):
  return ('left out', reason)


def save(image=IMAGE, image_format='PNG', more=(), **options):
  stream = io.BytesIO()
  if more:
    options = {'save_all': True, 'append_images': [frame.copy() for frame in more], **options}
  # A copy, since Pillow keeps the options of one format in the image for the next.
  image.copy().save(stream, image_format, **options)
  return stream.getvalue()


def with_orientation(orientation, image_format):
  exif = IMAGE.getexif()
  exif[0x0112] = orientation
  return save(image_format=image_format, exif=exif)


def png(width, height, depth, color_type, rows, interlace=0):
  """A PNG file from raw rows, each with its filter byte."""
  header = struct.pack('>IIBBBBB', width, height, depth, color_type, 0, 0, interlace)
  chunks = ((b'IHDR', header), (b'IDAT', zlib.compress(rows)), (b'IEND', b''))
  return b'\x89PNG\r\n\x1a\n' + b''.join(
    struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
    for kind, data in chunks
  )


def raw_photograph(tags):
  return save(image_format='TIFF', tiffinfo=tags)


def with_text(text):
  info = PngImagePlugin.PngInfo()
  info.add_text('Comment', text, zip=len(text) > 1000)
  return save(pnginfo=info)


def half_transparent():
  image = IMAGE.copy()
  image.putalpha(Image.linear_gradient('L').resize(image.size))
  return image


def interlaced_png():
  """A PNG file that loads in seven passes (Adam7), which Pillow cannot write."""
  parts = [RGB[top::down, left::right] for top, left, down, right in PASSES]
  return png(32, 24, 8, 2, b''.join(b'\0' + row.tobytes() for p in parts for row in p), interlace=1)


def with_flipped_byte(data, index):
  return data[:index] + bytes((data[index] ^ 0xFF,)) + data[index + 1 :]


JPEG, PNG = save(image_format='JPEG'), save()
FRAMES = [Image.fromarray(np.roll(RGB, shift, axis=1)) for shift in (5, 9)]
PALETTE = IMAGE.quantize(16)
CMYK = save(IMAGE.convert('CMYK'), 'JPEG')
ADOBE = CMYK.index(b'Adobe')
NOISE = [np.random.default_rng(seed).integers(0, 256, RGB.shape, np.uint8) for seed in (0, 1)]
PHOTO, OTHER_PHOTO = (save(Image.fromarray(noise), 'JPEG') for noise in NOISE)
TEXT_PNG = with_text('words')
DEEP_ROWS = b''.join(b'\0' + row.astype('>u2').tobytes() for row in RGB.astype(int) * 257 + 9)

# Path below the folder of class a -> (content, outcome).
ODD_FILES = {
  # Every decoder reads these, so they are stored unchanged.
  'progressive.jpg': (save(image_format='JPEG', progressive=True), KEPT),
  'gray.jpg': (save(Image.fromarray(GRAY), 'JPEG'), KEPT),
  'no_chroma_loss.jpg': (save(image_format='JPEG', subsampling=0), KEPT),
  'restart_markers.jpg': (save(image_format='JPEG', restart_marker_blocks=2), KEPT),
  'upright_by_exif.jpg': (with_orientation(1, 'JPEG'), KEPT),
  'broken_exif.jpg': (save(image_format='JPEG', exif=b'Exif\0\0II*\0\xff\xff\xff\xff'), KEPT),
  'more_behind.jpg': (JPEG + b'more', KEPT),
  'two_images.jpg': (save(image_format='MPO', more=FRAMES), KEPT),
  'LOUD.JPEG': (save(image_format='JPEG', quality=60), KEPT),
  'no extension': (save(image_format='JPEG', quality=61), KEPT),
  '\u00fcber \u732b.png': (save(compress_level=1), KEPT),
  'caf\udce9.png': (save(compress_level=2), KEPT),
  'deep/er/x.png': (save(compress_level=3), KEPT),
  'one_pixel.png': (save(Image.new('RGB', (1, 1))), KEPT),
  'a_line.png': (save(Image.new('RGB', (3000, 1))), KEPT),
  'interlaced.png': (interlaced_png(), KEPT),
  'gray_of_4_bits.png': (png(32, 24, 4, 0, (b'\0' + bytes(range(16))) * 24), KEPT),
  'rgb_not_ycc.jpg': (save(image_format='JPEG', keep_rgb=True), KEPT),
  'color_profile.jpg': (save(image_format='JPEG', icc_profile=bytes(200_000)), KEPT),
  'comment.jpg': (save(image_format='JPEG', comment=b'words'), KEPT),
  'tweet.jpg_large': (save(image_format='JPEG', quality=63), KEPT),
  'photo.jpg?size=large': (save(image_format='JPEG', quality=64), KEPT),
  'old.jfif': (save(image_format='JPEG', quality=65), KEPT),
  'two\nlines.jpg': (save(image_format='JPEG', quality=66), KEPT),
  '=1+1.jpg': (save(image_format='JPEG', quality=67), KEPT),
  # The extension is wrong; the content counts.
  'png_named.jpg': (save(compress_level=4), repaired('PNG file named .jpg')),
  'jpeg_named.png': (save(image_format='JPEG', quality=62), repaired('JPEG file named .png')),
  'webp_named.jpg': (
    save(image_format='WEBP', lossless=True),
    repaired('WEBP file named .jpg', 'WEBP file'),
  ),
  # Repaired.
  'cmyk.jpg': (CMYK, repaired('CMYK')),
  'ycck.jpg': (CMYK[: ADOBE + 11] + b'\x02' + CMYK[ADOBE + 12 :], repaired('CMYK')),
  'rotated.jpg': (with_orientation(6, 'JPEG'), repaired('EXIF rotation')),
  'mirrored.png': (with_orientation(2, 'PNG'), repaired('EXIF rotation')),
  'deep_gray.png': (save(Image.fromarray(GRAY.astype(np.uint16) * 257)), repaired('16 bit')),
  'deep_rgb.png': (png(32, 24, 16, 2, DEEP_ROWS), repaired('16 bit')),
  'palette.png': (save(PALETTE), repaired('palette')),
  'palette_alpha.png': (save(PALETTE, transparency=bytes(range(16))), repaired('palette', 'alpha')),
  'alpha.png': (save(IMAGE.convert('RGBA')), repaired('alpha')),
  'gray_alpha.png': (save(Image.fromarray(GRAY).convert('LA')), repaired('alpha')),
  'color_key.png': (save(transparency=(0, 30, 60)), repaired('alpha')),
  'one_bit.png': (save(IMAGE.convert('1')), repaired('1 bit')),
  'animated.png': (
    save(more=FRAMES),
    repaired('first of several frames'),
  ),
  'still.gif': (save(PALETTE, 'GIF'), repaired('GIF file', 'palette')),
  'animated.gif': (
    save(PALETTE, 'GIF', more=FRAMES),
    repaired('GIF file', 'first of several frames', 'palette'),
  ),
  'animated.webp': (
    save(image_format='WEBP', more=FRAMES),
    repaired('WEBP file', 'first of several frames'),
  ),
  'bad_text_sum.png': (
    with_flipped_byte(TEXT_PNG, TEXT_PNG.index(b'IDAT') - 5),
    repaired('PNG chunk tEXt with a wrong checksum removed'),
  ),
  'much_text.png': (
    with_text('x' * 2_000_000),
    repaired('large PNG texts or color profile removed'),
  ),
  'large_profile.png': (
    save(icc_profile=bytes(2_000_000)),
    repaired('large PNG texts or color profile removed'),
  ),
  'jfif_0.jpg': (
    JPEG[: JPEG.index(b'JFIF') + 5] + b'\0\0' + JPEG[JPEG.index(b'JFIF') + 7 :],
    repaired('unknown JFIF version 0.00'),
  ),
  'x.bmp': (save(image_format='BMP'), repaired('BMP file')),
  'palette.bmp': (save(PALETTE, 'BMP'), repaired('BMP file', 'palette')),
  'lossy.webp': (save(image_format='WEBP'), repaired('WEBP file')),
  'alpha.webp': (
    save(half_transparent(), 'WEBP', lossless=True),
    repaired('WEBP file', 'alpha'),
  ),
  'x.avif': (save(image_format='AVIF'), repaired('AVIF file')),
  'x.jp2': (save(image_format='JPEG2000'), repaired('JPEG2000 file')),
  'packed.tga': (save(image_format='TGA', compression='tga_rle'), repaired('TGA file')),
  'x.pgm': (save(Image.fromarray(GRAY), 'PPM'), repaired('PPM file')),
  'x.pbm': (save(IMAGE.convert('1'), 'PPM'), repaired('PPM file', '1 bit')),
  'packed.tif': (save(image_format='TIFF', compression='tiff_lzw'), repaired('TIFF file')),
  'jpeg_within.tif': (save(image_format='TIFF', compression='jpeg'), repaired('TIFF file')),
  'fax.tif': (
    save(IMAGE.convert('1'), 'TIFF', compression='group4'),
    repaired('TIFF file', '1 bit'),
  ),
  'x.tga': (save(image_format='TGA'), repaired('TGA file')),
  'x.ppm': (save(image_format='PPM'), repaired('PPM file')),
  'x.tif': (save(image_format='TIFF'), repaired('TIFF file')),
  'pages.tiff': (
    save(image_format='TIFF', more=FRAMES),
    repaired('TIFF file', 'first of several frames'),
  ),
  'deep.tif': (
    save(Image.fromarray(GRAY.astype(np.uint16) * 256), 'TIFF'),
    repaired('TIFF file', '16 bit'),
  ),
  'cmyk.tif': (save(IMAGE.convert('CMYK'), 'TIFF'), repaired('TIFF file', 'CMYK')),
  # Beyond repair.
  'empty.jpg': (b'', left_out('the file is empty')),
  'zeros.jpg': (bytes(4096), left_out('only zeros')),
  'words.jpg': (b'<html>404 Not Found</html>', left_out('a web page instead of an image')),
  'drawing.png': (b'<svg xmlns="http://www.w3.org/2000/svg"/>', left_out('SVG drawing')),
  'program.jpg': (
    b'%!PS-Adobe-3.0 EPSF-3.0\n',
    left_out('PostScript drawing'),
  ),
  'phone.heic': (b'\0\0\0\x18ftypheic\0\0\0\0mif1heic', left_out('HEIC image')),
  'half.jpg': (JPEG[: len(JPEG) // 2], left_out('Truncated File Read')),
  'no_end.jpg': (JPEG[:-2], left_out('Premature end')),
  'header_only.jpg': (JPEG[:20], left_out('.')),
  'half.png': (PNG[: len(PNG) // 2], left_out('truncated')),
  'no_end.png': (PNG[:-12], left_out('truncated PNG file')),
  'zeros_within.jpg': (
    PHOTO[:-400] + bytes(64) + PHOTO[-336:],
    left_out('damaged JPEG file'),
  ),
  'half_with_end.jpg': (
    PHOTO[:-400] + PHOTO[-2:],
    left_out('damaged JPEG file: premature end of data segment'),
  ),
  'tail_of_another.jpg': (
    PHOTO[:-400] + OTHER_PHOTO[-500:],
    left_out('damaged JPEG file'),
  ),
  'bad_sum.png': (with_flipped_byte(PNG, PNG.index(b'IEND') - 5), left_out('IDAT')),
  'half.gif': (save(PALETTE, 'GIF')[:60], left_out('.')),
  'float.tif': (
    fabricated.encoded(np.ones((3, 4), np.float32), 'TIFF'),
    left_out('have no fixed range'),
  ),
  'bomb.png': (
    png(60_000, 60_000, 8, 2, b''),
    left_out('60000 x 60000 pixels are more than the 90'),
  ),
  'no_width.png': (png(0, 9, 8, 2, b''), left_out('.')),
  # Images of kinds that are not read.
  'x.psd': (b'8BPS\0\1', left_out('Photoshop file')),
  'x.jxl': (b'\xff\x0a\0', left_out('JPEG XL file')),
  'x.svg': (b'<?xml version="1.0"?><svg/>', left_out('SVG drawing')),
  'x.nef': (raw_photograph({254: 1}), left_out('raw camera file')),
  'x.dng': (raw_photograph({50706: b'\1\4\0\0'}), left_out('raw camera file')),
  'x.cr2': (b'II*\0\x10\0\0\0CR\2\0' + bytes(16), left_out('raw camera file')),
  'x.cr3': (b'\0\0\0\x18ftypcrx \0\0\0\1', left_out('raw camera file')),
  # Not images, by name and first bytes.
  'notes.txt': (b'x', IGNORED),
  'boxes.xml': (b'<annotation/>', IGNORED),
  'film.mp4': (b'\0\0\0\x18ftypmp42', IGNORED),
  '._cat.jpg': (b'\0\5\x16\7', IGNORED),
  '.DS_Store': (b'\0\0\0\1Bud1', IGNORED),
  'Thumbs.db': (b'\xd0\xcf\x11\xe0', IGNORED),
  '.hidden.png': (PNG, IGNORED),
}


REFUSED_IN_GRAPH = {
  'webp_named.jpg',
  'animated.webp',
  'lossy.webp',
  'alpha.webp',
  'x.avif',
  'x.jp2',
  'palette.bmp',
  'x.tga',
  'packed.tga',
  'x.ppm',
  'x.pgm',
  'x.pbm',
  'x.tif',
  'packed.tif',
  'jpeg_within.tif',
  'fax.tif',
  'pages.tiff',
  'deep.tif',
  'cmyk.tif',
}
