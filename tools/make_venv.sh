#!/bin/sh
# Makes .venv hold the exact versions of requirements_lock.txt, by their hashes; does nothing when it does already.
#
#   tools/make_venv.sh                          or PYTHON=/path/to/python3.11 tools/make_venv.sh
#
# A run that is killed leaves .venv/requirements.partial behind; the next one then starts afresh.
set -eu
cd "$(dirname "$0")/.."

lock=requirements_lock.txt
installed=.venv/requirements.installed  # a copy of the lock, written last
partial=.venv/requirements.partial      # stands while .venv is being filled
log=.venv/pip.log
pip_failed='make_venv: pip failed'

fail() {
  echo "make_venv: error: $*" >&2
  exit 1
}

# TensorFlow 2.21 and tf-keras have wheels for these versions.
suits() {
  "$1" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null
}

find_python() {
  for name in ${PYTHON:-python3.12 python3.11 python3.10 python3}; do
    if suits "$name"; then
      echo "$name"
      return
    fi
  done
  name=${PYTHON:-python3}
  found=$("$name" --version 2>&1) || fail "no $name on PATH; install Python 3.10, 3.11 or 3.12."
  fail "$name is $found; Python 3.10, 3.11 or 3.12 is needed." \
    "Install one of them, or name it: PYTHON=/path/to/python3.11"
}

if [ -e $partial ] || ! suits .venv/bin/python; then
  python=$(find_python)
  "$python" -c 'import ensurepip, venv' 2>/dev/null ||
    fail "$python cannot make virtual environments; on Debian: apt-get install python3-venv"
  echo "Making .venv with $("$python" --version) ..."
  rm -rf .venv
  mkdir .venv
  : >$partial
  "$python" -m venv .venv
elif cmp -s $lock $installed; then
  exit 0
fi

# Shows one line a package; all that pip says goes to the log.
show_progress() {
  status=0
  while IFS= read -r line; do
    printf '%s\n' "$line" >>$log
    case $line in
      'Collecting '*)
        line=${line#Collecting }
        echo "  ${line%% *}"
        ;;
      'Installing collected '*) echo '  unpacking, quietly; a minute or two ...' ;;
      'ERROR: Ignored '*) ;; # a page of versions that were never asked for
      *ERROR*) printf '%s\n' "$line" >&2 ;;
      "$pip_failed") status=1 ;;
    esac
  done
  return $status
}

echo "Installing $lock into .venv ..."
echo "  the first time this takes minutes and 2.5 GB of disk"
: >$partial
: >$log
rm -f $installed
{
  .venv/bin/python -m pip install --no-input --disable-pip-version-check --progress-bar off \
    --require-hashes -r $lock 2>&1 || echo "$pip_failed"
} | show_progress || fail "pip could not install $lock; all it said is in $log"
cp $lock $installed
rm $partial
echo "Done: .venv holds $lock."
