"""A network of their own for the workers of a run on one machine. No TensorFlow.

TensorFlow's server listens on all addresses of the machine, whatever address it is given, and lets
everybody who reaches it run operations. Linux lets a process create a network that holds nothing
but a loopback device, and share it with its children only.
"""

import ctypes
import fcntl
import os
import pathlib
import socket
import struct
import sys

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_SIOCSIFFLAGS, _IFF_UP = 0x8914, 1
_PROCESS = pathlib.Path('/proc/self')


def enter() -> str | None:
  """Moves this process, which must have one thread only, into a new network.

  Returns:
    None, or the reason why this is impossible here; nothing has changed then.
  """
  if not sys.platform.startswith('linux'):
    return 'only Linux can separate them'
  libc = ctypes.CDLL(None, use_errno=True)
  reason = _try_in_child(libc)
  if reason is None:
    _move(libc)
  return reason


def _try_in_child(libc: ctypes.CDLL) -> str | None:
  """Returns the reason why a child cannot move into a new network; None if it can."""
  child = os.fork()
  if not child:
    code = 255
    try:
      _move(libc)
      code = 0
    except OSError as error:
      code = error.errno or code
    finally:
      os._exit(code)
  code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
  return os.strerror(code) if code else None


def _move(libc: ctypes.CDLL) -> None:
  """Creates a network, as root or as the same user in a new user namespace, and enters it."""
  user, group = os.getuid(), os.getgid()
  if libc.unshare(_CLONE_NEWNET):
    if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET):
      raise OSError(ctypes.get_errno(), 'unshare')
    (_PROCESS / 'setgroups').write_bytes(b'deny')
    (_PROCESS / 'uid_map').write_bytes(b'%d %d 1' % (user, user))
    (_PROCESS / 'gid_map').write_bytes(b'%d %d 1' % (group, group))
  with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as device:
    fcntl.ioctl(device, _SIOCSIFFLAGS, struct.pack('16sH14x', b'lo', _IFF_UP))
