"""One file per command, and helpers.

`invocation.run` answers Ctrl-C. Before it is called, while modules are imported, an interrupt ends
the process with one line as well.
"""

import sys
import types

_show_error = sys.excepthook


def _show_interrupt(
  kind: type[BaseException], error: BaseException, trace: types.TracebackType | None
) -> None:
  if issubclass(kind, KeyboardInterrupt):
    print('interrupted.', file=sys.stderr)
  else:
    _show_error(kind, error, trace)


sys.excepthook = _show_interrupt
