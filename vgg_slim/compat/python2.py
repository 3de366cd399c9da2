"""Python 2 source as Python 3: lib2to3 translates it, and integer division stays integer."""

import ast
import copy
import importlib
import numbers
import re
from typing import Any

import numpy as np

from vgg_slim.errors import ConfigError

_DIVIDE = '__classic_division__'
_TRUE_DIVISION = re.compile(r'^from __future__ import .*\bdivision\b', re.MULTILINE)


def translate(source: str, name: str) -> ast.Module:
  """Returns the syntax tree of Python 2 source, translated.

  Args:
    source: text of the file.
    name: its path, for messages.

  Raises:
    ConfigError: this Python has no lib2to3.
    SyntaxError: lib2to3 cannot parse the source.
  """
  tree = ast.parse(_refactor(source, name), name)
  if _TRUE_DIVISION.search(source):
    return tree
  return ast.fix_missing_locations(_ClassicDivision().visit(tree))


def _refactor(source: str, name: str) -> str:
  try:
    refactor: Any = importlib.import_module('lib2to3.refactor')
  except ImportError as error:
    raise ConfigError(
      '--python2 needs lib2to3, which Python has up to version 3.12; convert the script with it '
      'there, or by hand.'
    ) from error
  tool = refactor.RefactoringTool(refactor.get_fixers_from_package('lib2to3.fixes'))
  try:
    return str(tool.refactor_string(source.rstrip() + '\n', name))
  except Exception as error:  # lib2to3's ParseError has no common base with SyntaxError
    raise SyntaxError(f'{name}: {error}') from error


class _ClassicDivision(ast.NodeTransformer):
  """Turns `a / b` and `a /= b` into calls of `classic_division`."""

  def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
    self.generic_visit(node)
    return _division(node.left, node.right, node) if isinstance(node.op, ast.Div) else node

  def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
    self.generic_visit(node)
    if not isinstance(node.op, ast.Div):
      return node
    value = copy.deepcopy(node.target)
    value.ctx = ast.Load()
    return ast.copy_location(ast.Assign([node.target], _division(value, node.value, node)), node)


def _division(left: ast.expr, right: ast.expr, node: ast.AST) -> ast.Call:
  call = ast.Call(ast.Name(_DIVIDE, ast.Load()), [left, right], [])
  return ast.copy_location(call, node)


def classic_division(left: Any, right: Any) -> Any:
  """Divides as Python 2 did: integers, arrays of integers and integer tensors round down."""
  return left // right if _is_whole(left) and _is_whole(right) else left / right


def _is_whole(value: Any) -> bool:
  if isinstance(value, numbers.Integral):
    return True
  if type(value).__name__ == 'Dimension':
    return True
  dtype = getattr(value, 'dtype', None)
  if isinstance(dtype, np.dtype):
    return dtype.kind in 'iub'
  return bool(getattr(dtype, 'is_integer', False))


# What a module's `__dict__` needs to run a tree of `translate`.
NAMESPACE = {_DIVIDE: classic_division}
