"""Names that NumPy has removed, for scripts that still use them."""

import functools
from collections.abc import Callable

import numpy as np
from numpy.typing import DTypeLike

# Name in old NumPy -> what it was, or its name today.
NAMES: dict[str, object] = {
  'int': int,
  'float': float,
  'bool': bool,
  'object': object,
  'str': str,
  'complex': complex,
  'long': int,
  'unicode': str,
  'float_': np.float64,
  'complex_': np.complex128,
  'unicode_': np.str_,
  'string_': np.bytes_,
  'Inf': np.inf,
  'Infinity': np.inf,
  'infty': np.inf,
  'PINF': np.inf,
  'NINF': -np.inf,
  'NaN': np.nan,
  'NAN': np.nan,
  'product': np.prod,
  'cumproduct': np.cumprod,
  'sometrue': np.any,
  'alltrue': np.all,
  'row_stack': np.vstack,
  'round_': np.round,
  'rank': np.ndim,
  'alen': len,
  'asscalar': lambda array: array.item(),
  'msort': lambda array: np.sort(array, axis=0),
  'in1d': lambda first, second, **options: np.isin(np.ravel(first), second, **options),
  'trapz': np.trapezoid,
  'asfarray': lambda array, dtype=np.float64: np.asarray(array, dtype),
  'lib.pad': np.pad,
}

# What to write instead of a function that NumPy does not have in this form.
SUCCESSORS = {
  'asscalar': 'array.item()',
  'msort': 'np.sort(array, axis=0)',
  'in1d': 'np.isin',
  'asfarray': 'np.asarray(array, float)',
  'fromstring': 'np.frombuffer',
}


def expand_dims(array: object, axis: int | tuple[int, ...]) -> np.ndarray:
  """`np.expand_dims`, whose axis old NumPy clipped to the number of dimensions."""
  array = np.asarray(array)
  return np.expand_dims(array, axis if isinstance(axis, tuple) else min(axis, array.ndim))


def fromstring(
  text: bytes | str, dtype: DTypeLike = float, count: int = -1, sep: str = ''
) -> np.ndarray:
  """`np.fromstring`, which without a separator read the bytes of an array."""
  if sep:
    return np.fromstring(text, dtype, count, sep=sep)
  content = text.encode('latin-1') if isinstance(text, str) else text
  return np.frombuffer(content, dtype, count).copy()


def load_pickled(*args: object, **options: object) -> object:
  """`np.load` that unpickles, which runs any code in the file."""
  return np.load(*args, **{'allow_pickle': True, **options})  # type: ignore[arg-type]


def load(file: object, *args: object, **options: object) -> object:
  """`np.load`, whose refusal of a pickle says what to do.

  Raises:
    ValueError: the file is pickled.
  """
  try:
    return np.load(file, *args, **options)  # type: ignore[arg-type]
  except ValueError as error:
    if 'allow_pickle=False' not in str(error):
      raise
    raise ValueError(
      f'{file} is a pickle, which can run any code: {error}. tools/import_weights --from reads a '
      'dict of arrays without running code; tools/legacy --allow_pickle, or '
      'install(allow_pickle=True), loads a file that you trust.'
    ) from error


def names(allow_pickle: bool) -> dict[str, Callable[[], object]]:
  """Returns functions that return the values of the names, by full name.

  Args:
    allow_pickle: whether `np.load` unpickles too.
  """
  shown: dict[str, object] = {**NAMES, 'expand_dims': expand_dims, 'fromstring': fromstring}
  shown['load'] = load_pickled if allow_pickle else load
  return {f'numpy.{name}': functools.partial(shown.get, name) for name in shown}
