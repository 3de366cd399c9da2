import json
import os
import subprocess
import sys

import pytest

from vgg_slim.training import private_network

# Enters a private network and reports what it and its child can reach.
SCRIPT = """
import ctypes, json, os, socket, sys
from vgg_slim.training import private_network

if sys.argv[1:]:
  os.setgroups([])
  os.setgid(int(sys.argv[1]))
  os.setuid(int(sys.argv[1]))
  ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # PR_SET_DUMPABLE, which a new program gets by itself
user = os.getuid()
reason = private_network.enter()
names = [name for _, name in socket.if_nameindex()]
listener = socket.socket()
listener.bind(('127.0.0.1', 0))
listener.listen()
child = os.fork()
if not child:
  socket.socket().connect(listener.getsockname())
  os._exit(0)
reached = os.waitpid(child, 0)[1] == 0
print(json.dumps([reason, names, reached, os.getuid() == user]))
"""


def run(*arguments):
  command = [sys.executable, '-c', SCRIPT, *arguments]
  done = subprocess.run(command, capture_output=True, text=True, timeout=60)
  assert done.returncode == 0, done.stderr
  return json.loads(done.stdout)


USERS = [(), pytest.param(('65534',), marks=pytest.mark.skipif(os.getuid() != 0, reason='no root'))]


@pytest.mark.parametrize('user', USERS, ids=['this user', 'nobody'])
def test_a_private_network_has_a_loopback_device_alone(user):
  reason, names, reached, is_same_user = run(*user)
  if reason:
    pytest.skip(f'not possible here: {reason}')
  assert names == ['lo']
  assert reached and is_same_user


def test_a_system_without_such_networks_is_named(monkeypatch):
  monkeypatch.setattr(sys, 'platform', 'darwin')
  assert private_network.enter() == 'only Linux can separate them'


def test_a_refusal_changes_nothing(monkeypatch):
  def refuse(libc):
    raise PermissionError(1, 'unshare')

  monkeypatch.setattr(private_network, '_move', refuse)
  assert private_network.enter() == 'Operation not permitted'
