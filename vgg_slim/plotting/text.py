"""Text of users, such as class names, as matplotlib can draw it."""

import contextlib
import functools
import itertools
import unicodedata
from collections.abc import Iterable

from matplotlib import font_manager

_FAMILY = 'DejaVu Sans'  # comes with matplotlib
_LONGEST = 40  # columns of `columns_of`; longer names leave constrained layout no room for the axes
_TITLE = 80  # columns across a whole figure
_ELLIPSIS = '…'


def plain(text: str, longest: int = _LONGEST) -> str:
  """One short line that is drawn as it is written, to be drawn in `families(text)`.

  White space becomes single spaces, and a long text loses its middle. A character that no installed
  font has is written as its letter without accents, or as its Python escape such as \\u732b. Dollar
  signs are escaped: matplotlib would read what stands between two of them as a formula.
  """
  pieces = [_drawable(character) for character in ' '.join(text.split())]
  return ''.join(_shortened(pieces, longest)).replace('$', r'\$')


def plain_lines(text: str) -> str:
  """`plain` for each line of `text`."""
  return '\n'.join(map(plain, text.split('\n')))


def title(text: str) -> str:
  """`plain` for what stands above a whole figure."""
  return plain(text, _TITLE)


def families(*texts: str) -> list[str]:
  """The font families that draw these texts, for matplotlib's `fontfamily`."""
  found = {_family(character) for text in texts for character in text}
  return [_FAMILY, *sorted(family for family in found if family and family != _FAMILY)]


def columns_of(piece: str) -> int:
  """Width in Latin characters; Chinese, Japanese and Korean characters are twice as wide."""
  return sum(1 + (unicodedata.east_asian_width(character) in 'WF') for character in piece)


def _shortened(pieces: list[str], longest: int) -> list[str]:
  """The first and last of `pieces` around an ellipsis, if all are wider than `longest`."""
  if sum(map(columns_of, pieces)) <= longest:
    return pieces
  tail = longest // 3
  return [
    *_fitting(pieces, longest - tail - 1),
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
  """Upright families of normal weight with their code points, matplotlib's own first."""
  yield _FAMILY, _glyphs(font_manager.findfont(_FAMILY))
  for font in _installed():
    yield font.name, _glyphs(font.fname)


@functools.cache
def _installed() -> list[font_manager.FontEntry]:
  """The fonts of this machine, those included that matplotlib's cached list does not have yet."""
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
  # matplotlib's STIX and Computer Modern are for formulas and have code points of their own.
  others = ('STIX', 'cm', 'DejaVu', 'Last Resort')
  upright = [font for font in fonts if font.style == 'normal' and font.weight in (400, 500)]
  upright = [font for font in upright if not font.name.startswith(others)]
  return sorted(upright, key=lambda font: (not font.name.endswith(' SC'), font.name, font.fname))


@functools.cache
def _glyphs(path: str) -> frozenset[int]:
  try:
    return frozenset(font_manager.get_font(path).get_charmap())
  except (OSError, RuntimeError):  # a bitmap font, such as those of coloured emoji
    return frozenset()
