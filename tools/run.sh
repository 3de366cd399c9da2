#!/bin/sh
# Runs the command whose wrapper calls it, from any folder: tools/train -> python -m vgg_slim.commands.train.
# The wrapper hands over its own $0, which may be a symbolic link from elsewhere.
command=$(readlink -f "$1")
shift
root=$(dirname "$(dirname "$command")")
name=$(basename "$command")
python="$root/third_party/offline/rules_python/runtime/venv_python.sh"
if [ ! -x "$root/.venv/bin/python3" ] && ! "$python" -c 'import absl' 2>/dev/null; then
  echo "$name: error: the Python packages are missing. Run 'make venv' in $root." >&2
  exit 1
fi
PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}" exec "$python" -m "vgg_slim.commands.$name" "$@"
