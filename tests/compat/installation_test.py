"""What needs no process of its own; tests/commands/legacy_test.py runs whole scripts."""

import pytest

from vgg_slim.compat import decision, installation, scanning
from vgg_slim.errors import ConfigError


def test_python2_is_refused_with_the_flag_to_give(tmp_path):
  script = tmp_path / 'old.py'
  script.write_text('\nprint "hello"\n')
  with pytest.raises(ConfigError, match=r'old.py:2 is not Python 3 .*--python2 translates'):
    installation.prepare(script, installation.Options())


@pytest.mark.parametrize(
  ('keep_v2', 'graph_mode', 'reason'),
  [(True, False, '--keep_v2=true'), (False, True, '--keep_v2=false'), (None, True, 'interactive')],
)
def test_the_flag_decides_before_the_text(keep_v2, graph_mode, reason):
  decided = installation._decide(scanning.Scan((), {}, None, {}), None, keep_v2)
  assert decided.graph_mode == graph_mode
  assert reason in decided.reason


def test_the_summary_warns_of_scipy_misc():
  scan = scanning.Scan((), {'scipy.misc.imread': scanning.Use('a.py', 1)}, None, {})
  summary = installation._summary(decision.Decision(False, 'x'), scan, installation.Options())
  assert summary == "TensorFlow 2's behavior (x); scipy.misc is used: --scipy_misc"
