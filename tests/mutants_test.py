import ast
import textwrap

import pytest

from tests import mutants


def changes(source):
  """(before, after) of each mutant of a module."""
  return [(m.before, m.after) for m in mutants.make_mutants('m.py', textwrap.dedent(source))]


@pytest.mark.parametrize(
  ('line', 'expected'),
  [
    ('x = a < b', ['x = (a <= b)', 'x = (a >= b)']),
    ('x = a == b', ['x = (a != b)']),
    ('x = a is None', ['x = (a is not None)']),
    ('x = a + b * c', ['x = (a - b * c)', 'x = a + (b / c)']),
    ('x = 7', ['x = 8']),
    ('x = 0.5', ['x = 1.0']),
    ('x = True', ['x = False']),
    ("x = 'momentum'", ["x = 'momentum_'"]),
    ('x = a and b', ['x = (a or b)']),
    ('x = not a', ['x = a']),
    ('x = -a', ['x = a']),
    ('a.b = c', ['pass']),
    ('a += b', ['a -= b', 'pass']),
    ('x = max(a, b)', ['x = max(a)', 'x = min(a, b)']),
    ('f(a, b)', ['f(a)', 'f(b, a)', 'pass']),
    ('x = f(a, side=b)', ['x = f(a)']),
    ('x = tf.reduce_min(a)', ['x = tf.reduce_max(a)']),
    ('x = b if a else c', ['x = b if (not a) else c']),
  ],
)
def test_mutants_of_each_kind(line, expected):
  assert sorted(after for _, after in changes(line)) == sorted(expected)


def test_returns_raises_and_conditions_of_a_function():
  source = """
    def f(a):
      if a:
        raise ValueError(f'{a} is not 3')
      return a
  """
  assert changes(source) == [
    ('if a:', 'if (not a):'),
    ("raise ValueError(f'{a} is not 3')", 'pass'),
    ('return a', 'return None'),
  ]


def test_code_that_cannot_change_the_behavior_is_not_mutated():
  source = '''
    """A module of 3 lines."""
    import a
    __all__ = ['f']
    if __name__ == '__main__':
      f(3)
    @cached(1)
    def f(a: int | None = None) -> 'Text':
      """Returns 3."""
      with tf.name_scope('scope'):
        x = zip(a, strict=True)
  '''
  assert changes(source) == []


def test_mutants_have_a_line_and_scope_and_are_valid_python():
  source = 'class A:\n  def f(self):\n    return [\n      1,\n      b < c,\n    ]\n'
  made = mutants.make_mutants('m.py', source)
  assert {(m.line, m.scope) for m in made} == {(3, 'A.f'), (4, 'A.f'), (5, 'A.f')}
  for mutant in made:
    assert ast.dump(ast.parse(mutant.source)) != ast.dump(ast.parse(source))
  boundary = next(m for m in made if m.kind == 'boundary')
  assert boundary.source == source.replace('b < c', '(b <= c)')
  assert boundary.key == 'm.py:A.f: b < c, -> (b <= c),'
