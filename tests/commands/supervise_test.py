import pytest

from tests.testing import run_tool
from vgg_slim.commands import supervise


def run(*arguments):
  return run_tool(supervise, *arguments, takes_command=True)


def test_it_exits_with_the_code_of_the_command():
  several = ('--num_workers=2', '--noprivate_network')  # this process keeps its network
  assert run(*several, '--', 'sh', '-c', '[ -n "$TF_CONFIG" ]') == 0
  assert run('--', 'sh', '-c', 'exit 2') == 2


def test_flags_of_the_command_are_passed_on(capfd):
  assert run('--', 'printf', '%s', '--help') == 0
  assert capfd.readouterr().out == '--help'


@pytest.mark.parametrize(
  ('arguments', 'code', 'message'),
  [
    ([], 2, 'Give a command after --'),
    (['--', 'train', '--overwrite'], 2, '--overwrite would remove the run at every restart'),
    (['--num_workers=0', '--', 'true'], 2, '--num_workers must be in [1, 1024], got 0'),
    (['--num_workers=1025', '--', 'true'], 2, '--num_workers must be in [1, 1024], got 1025'),
    (
      ['--progress=json', '--', 'true'],
      2,
      '--progress=json: standard output belongs to the command',
    ),
    (['true'], 2, "unexpected arguments ['true']"),
  ],
)
def test_user_errors_are_reported(capsys, arguments, code, message):
  assert run(*arguments) == code
  captured = capsys.readouterr()
  # Who asks for JSON is told in JSON, and others in words.
  assert message in (captured.out if '--progress=json' in arguments else captured.err)


@pytest.mark.parametrize(
  ('flag', 'entered', 'reason', 'warned'),
  [
    ('--private_network', 1, None, False),
    ('--private_network', 1, 'no permission', True),
    ('--noprivate_network', 0, None, False),
  ],
)
def test_several_workers_have_a_network_of_their_own(
  monkeypatch, capfd, flag, entered, reason, warned
):
  calls = []
  enter = lambda: calls.append(1) or reason  # noqa: E731
  monkeypatch.setattr(supervise.private_network, 'enter', enter)
  assert run('--num_workers=2', flag, '--', 'true') == 0
  assert len(calls) == entered
  assert ('can reach the ports of the workers (no permission)' in capfd.readouterr().err) == warned
  assert run('--num_workers=1', flag, '--', 'true') == 0
  assert len(calls) == entered
