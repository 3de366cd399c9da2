"""Creates mutants: copies of a module's source with one small fault each.

Code that cannot change the behavior is not mutated: docstrings, type hints, messages, names of
operations, `__all__`, decorators and imports.
"""

import ast
import copy
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

# Keyword arguments that are names or only affect speed, and `strict=`, which ruff requires.
IGNORED_KEYWORDS = {'encoding', 'help', 'name', 'num_parallel_calls', 'stacklevel', 'strict'}
# Functions whose arguments are messages or names of scopes.
IGNORED_CALLS = {'info', 'warning', 'error', 'debug', 'print', 'name_scope', 'warn', 'TypeVar'}
IGNORED_NAMES = {'__all__', '__slots__', 'TYPE_CHECKING', '__name__'}
# Fields of syntax nodes that are type hints or decorators.
IGNORED_FIELDS = {'annotation', 'returns', 'decorator_list', 'type_params'}

BOUNDARIES = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt}
OPPOSITES = {
  ast.Lt: ast.GtE,
  ast.LtE: ast.Gt,
  ast.Gt: ast.LtE,
  ast.GtE: ast.Lt,
  ast.Eq: ast.NotEq,
  ast.NotEq: ast.Eq,
  ast.Is: ast.IsNot,
  ast.IsNot: ast.Is,
  ast.In: ast.NotIn,
  ast.NotIn: ast.In,
}
ARITHMETIC = {
  ast.Add: ast.Sub,
  ast.Sub: ast.Add,
  ast.Mult: ast.Div,
  ast.Div: ast.Mult,
  ast.FloorDiv: ast.Mult,
  ast.Mod: ast.FloorDiv,
  ast.Pow: ast.Mult,
  ast.MatMult: ast.Mult,
  ast.BitAnd: ast.BitOr,
  ast.BitOr: ast.BitAnd,
}
FUNCTIONS = {
  'min': 'max',
  'minimum': 'maximum',
  'reduce_min': 'reduce_max',
  'argmin': 'argmax',
  'any': 'all',
  'reduce_any': 'reduce_all',
  'floor': 'ceil',
  'reduce_mean': 'reduce_sum',
}
FUNCTIONS |= {after: before for before, after in FUNCTIONS.items()}
SYMMETRIC_CALLS = {'min', 'max', 'minimum', 'maximum', 'add', 'multiply'}


class Mutant(NamedTuple):
  """One fault.

  Attributes:
    path: path of the file, relative to the root of the repository.
    line: line of the fault, counted from 1.
    scope: dotted name of the function or class that contains it; '' at the top level.
    kind: name of the mutation.
    before: original source of the lines with the fault, as one line.
    after: the same lines with the fault.
    source: complete source of the mutated module.
  """

  path: str
  line: int
  scope: str
  kind: str
  before: str
  after: str
  source: str

  @property
  def key(self) -> str:
    """Identifies the mutant in all versions of the file in which the line is unchanged."""
    return f'{self.path}:{self.scope}: {self.before} -> {self.after}'


class _Fault(NamedTuple):
  node: Any  # the ast.AST whose source is replaced
  kind: str
  text: str


def make_mutants(path: str, source: str) -> list[Mutant]:
  """Returns all mutants of a module, in the order of the source.

  Args:
    path: path of the file, relative to the root of the repository.
    source: source of the module.
  """
  by_source: dict[str, Mutant] = {}
  for scope, node in _walk(ast.parse(source), ''):
    for fault in _faults(node):
      mutant = _apply(path, source, scope, fault)
      if mutant.before != mutant.after:
        by_source.setdefault(mutant.source, mutant)
  return sorted(by_source.values(), key=lambda m: (m.line, m.kind, m.after))


def _walk(node: ast.AST, scope: str) -> Iterator[tuple[str, ast.AST]]:
  """Yields (scope, node) for all nodes that may affect the behavior."""
  for field, value in ast.iter_fields(node):
    if field in IGNORED_FIELDS:
      continue
    for child in value if isinstance(value, list) else [value]:
      if not isinstance(child, ast.AST) or _is_ignored(child):
        continue
      inner = scope
      if isinstance(child, ast.FunctionDef | ast.ClassDef):
        inner = f'{scope}.{child.name}'.lstrip('.')
      yield inner, child
      if not isinstance(child, ast.Raise) and not _is_text_call(child):
        yield from _walk(child, inner)


def _is_ignored(node: ast.AST) -> bool:
  if isinstance(node, ast.Import | ast.ImportFrom | ast.JoinedStr | ast.Assert):
    return True
  if isinstance(node, ast.keyword):
    return node.arg in IGNORED_KEYWORDS
  if isinstance(node, ast.Expr):
    return isinstance(node.value, ast.Constant)
  if isinstance(node, ast.Assign | ast.If):
    head = node.targets[0] if isinstance(node, ast.Assign) else node.test
    return any(isinstance(n, ast.Name) and n.id in IGNORED_NAMES for n in ast.walk(head))
  return False


def _is_text_call(node: ast.AST) -> bool:
  return isinstance(node, ast.Call) and _called_name(node) in IGNORED_CALLS


def _called_name(call: ast.Call) -> str:
  return getattr(call.func, 'attr', getattr(call.func, 'id', ''))


def _faults(node: ast.AST) -> Iterator[_Fault]:
  for kind, maker in MAKERS.get(type(node), ()):
    for target, text in maker(node):
      yield _Fault(target, kind, text)


def _apply(path: str, source: str, scope: str, fault: _Fault) -> Mutant:
  lines = source.encode().splitlines(keepends=True)
  node = fault.node
  first, last = node.lineno - 1, node.end_lineno - 1
  head, tail = lines[first][: node.col_offset], lines[last][node.end_col_offset :]
  changed = (head + fault.text.encode() + tail).decode()
  mutated = b''.join(lines[:first]).decode() + changed + b''.join(lines[last + 1 :]).decode()
  before = ' '.join(b''.join(lines[first : last + 1]).decode().split())
  return Mutant(path, node.lineno, scope, fault.kind, before, ' '.join(changed.split()), mutated)


_Replacements = Iterator[tuple[ast.AST, str]]


def _unparse(node: ast.AST) -> str:
  # Parentheses preserve the precedence of the expression that is replaced.
  text = ast.unparse(node)
  return text if isinstance(node, ast.Name | ast.Call | ast.Attribute) else f'({text})'


def _with(node: ast.AST, **fields: object) -> str:
  changed = copy.copy(node)
  for name, value in fields.items():
    setattr(changed, name, value)
  return _unparse(changed)


def _swap_comparison(
  table: dict[type[ast.cmpop], type[ast.cmpop]],
) -> Callable[[ast.Compare], _Replacements]:
  def swap(node: ast.Compare) -> _Replacements:
    for i, operator in enumerate(node.ops):
      if type(operator) in table:
        ops = [*node.ops[:i], table[type(operator)](), *node.ops[i + 1 :]]
        yield node, _with(node, ops=ops)

  return swap


def _swap_arithmetic(node: ast.BinOp) -> _Replacements:
  is_text = any(
    isinstance(side, ast.JoinedStr) or isinstance(getattr(side, 'value', None), str)
    for side in (node.left, node.right)
  )
  if type(node.op) in ARITHMETIC and not is_text:
    yield node, _with(node, op=ARITHMETIC[type(node.op)]())


def _swap_augmented(node: ast.AugAssign) -> _Replacements:
  if type(node.op) in ARITHMETIC:
    changed = copy.copy(node)
    changed.op = ARITHMETIC[type(node.op)]()
    yield node, ast.unparse(changed)


def _change_constant(node: ast.Constant) -> _Replacements:
  value = node.value
  if isinstance(value, bool):
    yield node, str(not value)
  elif isinstance(value, int):
    yield node, str(value + 1)
  elif isinstance(value, float):
    yield node, repr(value * 2 or 1.0)
  elif isinstance(value, str) and re.fullmatch(r'[\w./-]*[a-z][\w./-]*', value):
    yield node, repr(value + '_')


def _negate(node: ast.If | ast.IfExp | ast.While) -> _Replacements:
  test = node.test
  if isinstance(test, ast.UnaryOp | ast.Constant):
    return  # covered by `_drop_sign` and `_change_constant`
  if not isinstance(test, ast.Compare) or len(test.ops) > 1:
    yield test, f'(not {_unparse(test)})'


def _drop_sign(node: ast.UnaryOp) -> _Replacements:
  if isinstance(node.op, ast.Not | ast.USub) and not _is_number(node):
    yield node, _unparse(node.operand)


def _is_number(node: ast.UnaryOp) -> bool:
  return isinstance(node.operand, ast.Constant)


def _swap_and_or(node: ast.BoolOp) -> _Replacements:
  yield node, _with(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())


def _return_none(node: ast.Return) -> _Replacements:
  if node.value and not (isinstance(node.value, ast.Constant) and node.value.value is None):
    yield node, 'return None'


def _remove(node: ast.stmt) -> _Replacements:
  # Not for plain names, since any call of the function would then fail.
  targets = getattr(node, 'targets', [getattr(node, 'target', None)])
  if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name | ast.Tuple) for t in targets):
    return
  if isinstance(node, ast.Expr) and isinstance(node.value, ast.Yield):
    return
  yield node, 'pass'


def _change_arguments(node: ast.Call) -> _Replacements:
  if _is_text_call(node):
    return
  for i, keyword in enumerate(node.keywords):
    if keyword.arg not in IGNORED_KEYWORDS:
      yield node, _with(node, keywords=node.keywords[:i] + node.keywords[i + 1 :])
  if len(node.args) > 1:
    yield node, _with(node, args=node.args[:-1])
    if _called_name(node) not in SYMMETRIC_CALLS:
      yield node, _with(node, args=[node.args[1], node.args[0], *node.args[2:]])


def _swap_function(node: ast.Call) -> _Replacements:
  name = FUNCTIONS.get(_called_name(node))
  if name:
    attribute = isinstance(node.func, ast.Attribute)
    yield node.func, _with(node.func, **{'attr' if attribute else 'id': name})


MAKERS: dict[type, list[tuple[str, Callable[[Any], _Replacements]]]] = {
  ast.Compare: [
    ('boundary', _swap_comparison(BOUNDARIES)),
    ('comparison', _swap_comparison(OPPOSITES)),
  ],
  ast.BinOp: [('arithmetic', _swap_arithmetic)],
  ast.Constant: [('constant', _change_constant)],
  ast.If: [('negation', _negate)],
  ast.IfExp: [('negation', _negate)],
  ast.While: [('negation', _negate)],
  ast.UnaryOp: [('negation', _drop_sign)],
  ast.BoolOp: [('and/or', _swap_and_or)],
  ast.Return: [('return', _return_none)],
  ast.Expr: [('statement', _remove)],
  ast.Assign: [('statement', _remove)],
  ast.AugAssign: [('arithmetic', _swap_augmented), ('statement', _remove)],
  ast.Raise: [('statement', _remove)],
  ast.Delete: [('statement', _remove)],
  ast.Continue: [('statement', _remove)],
  ast.Break: [('statement', _remove)],
  ast.Call: [('argument', _change_arguments), ('function', _swap_function)],
}
