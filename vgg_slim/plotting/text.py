"""Prepares text of users, such as class names, for matplotlib."""

import contextlib
import functools
import itertools
import unicodedata
from collections.abc import Iterable

from matplotlib import font_manager

_FAMILY = 'DejaVu Sans'  # comes with matplotlib
_MAX_WIDTH = 40  # columns of `columns_of`; wider names leave constrained layout no room for axes
_MAX_TITLE_WIDTH = 80  # columns across a whole figure
_ELLIPSIS = '…'


def plain(text: str, max_width: int = _MAX_WIDTH) -> str:
  """Converts text to one short line that matplotlib draws literally, in `families(text)`.

  Whitespace becomes single spaces, and an ellipsis replaces the middle of a long text. A character
  that no installed font has is replaced by its letter without accents, or by its Python escape such
  as \\u732b. Dollar signs are escaped: matplotlib draws text between two of them as a formula.
  """
  pieces = [_drawable(character) for character in ' '.join(text.split())]
  return ''.join(_shortened(pieces, max_width)).replace('$', r'\$')


def plain_lines(text: str, max_width: int = _MAX_WIDTH) -> str:
  """Applies `plain` to each line of `text`."""
  return '\n'.join(plain(line, max_width) for line in text.split('\n'))


def title(text: str) -> str:
  """Applies `plain` to the title of a figure, which may be longer."""
  return plain(text, _MAX_TITLE_WIDTH)


def families(*texts: str) -> list[str]:
  """Font families that can draw these texts, for matplotlib's `fontfamily`."""
  needed = {_family(character) for text in texts for character in text}
  return [_FAMILY, *sorted(family for family in needed if family and family != _FAMILY)]


def columns_of(piece: str) -> int:
  """Width in Latin characters; Chinese, Japanese and Korean characters are twice as wide."""
  return sum(1 + (unicodedata.east_asian_width(character) in 'WF') for character in piece)


def _shortened(pieces: list[str], max_width: int) -> list[str]:
  """The first and last of `pieces` around an ellipsis, if all are wider than `max_width`."""
  if sum(map(columns_of, pieces)) <= max_width:
    return pieces
  tail = max_width // 3
  return [
    *_fitting(pieces, max_width - tail - 1),
    _ELLIPSIS,
    *reversed(_fitting(reversed(pieces), tail)),
  ]


def _fitting(pieces: Iterable[str], columns: int) -> list[str]:
  """The longest run of `pieces` from the first on that is at most `columns` wide."""
  pieces = list(pieces)
  ends = itertools.accumulate(map(columns_of, pieces))
  return [piece for piece, end in zip(pieces, ends, strict=True) if end <= columns]


def _drawable(character: str) -> str:
  if _family(character):
    return character
  bare = ''.join(c for c in unicodedata.normalize('NFKD', character) if _family(c))
  return bare or character.encode('unicode_escape').decode()


@functools.cache
def _family(character: str) -> str | None:
  """The first installed family that has a glyph for a printable character."""
  if not character.isprintable():
    return None
  return next((name for name, glyphs in _fonts() if ord(character) in glyphs), None)


def _fonts() -> Iterable[tuple[str, frozenset[int]]]:
  """Upright families with their code points, the default family first."""
  yield _FAMILY, _glyphs(font_manager.findfont(_FAMILY))
  for font in _installed():
    yield font.name, _glyphs(font.fname)


@functools.cache
def _installed() -> list[font_manager.FontEntry]:
  """Installed fonts, including those that are missing from matplotlib's cached list."""
  manager = font_manager.fontManager
  for path in sorted(
    set(font_manager.findSystemFonts()) - {font.fname for font in manager.ttflist}
  ):
    with contextlib.suppress(OSError, RuntimeError):
      manager.addfont(path)
  return _for_text(manager.ttflist)


def _for_text(fonts: Iterable[font_manager.FontEntry]) -> list[font_manager.FontEntry]:
  """Upright fonts of regular or medium weight, those with simplified Chinese forms first.

  Noto CJK has a family for each region, all with the same characters. WenQuanYi Zen Hei is medium.
  """
  # STIX and Computer Modern of matplotlib are for formulas and use non-standard code points.
  others = ('STIX', 'cm', 'DejaVu', 'Last Resort')
  upright = [font for font in fonts if font.style == 'normal' and font.weight in (400, 500)]
  upright = [font for font in upright if not font.name.startswith(others)]
  return sorted(upright, key=lambda font: (not font.name.endswith(' SC'), font.name, font.fname))


@functools.cache
def _glyphs(path: str) -> frozenset[int]:
  try:
    return frozenset(font_manager.get_font(path).get_charmap())
  except (OSError, RuntimeError):  # a bitmap font, such as color emoji
    return frozenset()
