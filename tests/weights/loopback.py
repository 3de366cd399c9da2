"""A server of weight files on this machine."""

import contextlib
import http.server
import threading


@contextlib.contextmanager
def serve(handler):
  """Yields a server whose `asked` is an empty list, for the paths that clients ask for."""
  with http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
    server.asked = []
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.shutdown()
    thread.join(30)
