#!/bin/sh
# Runs the command whose wrapper calls it, from any folder: tools/train -> python -m tools.train.
# The wrapper hands over its own $0, which may be a symbolic link from elsewhere.
command=$(readlink -f "$1")
shift
root=$(dirname "$(dirname "$command")")
python="$root/third_party/offline/rules_python/runtime/venv_python.sh"
PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}" \
  exec "$python" -m "tools.$(basename "$command")" "$@"
