#!/usr/bin/env bash
# Creates the virtual environment with all that the comparison and its tests need, including Java.
#
#   ./install.sh .venv        (`make compare` and `make test` call it)
#   ./install.sh --browser    a Chromium for the tests of the pages (`make test` calls it)
#   ./install.sh --open .venv pyarrow for the tests of ray-data and spark-udf, in a folder of its own
#                             that the plain engines do not see (`make test` calls it)
set -euo pipefail
cd "$(dirname "$0")"
venv=$1

# Settings of the user for other installations: packages belong into this environment only.
export PIP_USER=0
unset PIP_TARGET PIP_PREFIX PIP_ROOT PYTHONHOME

say() { printf 'install: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

# Runs apt-get as root or through sudo without a password; fails if neither is possible.
apt_install() {
  command -v apt-get >/dev/null || return 1
  local sudo=()
  [ "$(id -u)" = 0 ] || { sudo -n true 2>/dev/null && sudo=(sudo -n); } || return 1
  say "apt-get install $*"
  "${sudo[@]}" apt-get update -qq \
    && "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
      apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

if [ "$venv" = --browser ]; then
  command -v chromium >/dev/null || command -v google-chrome >/dev/null || apt_install chromium \
    || say 'the tests of the pages need a browser and skip themselves: install chromium'
  exit 0
fi

if [ "$venv" = --open ]; then
  venv=$2
  [ "$venv/open/.complete" -nt requirements-open.lock ] && exit 0
  rm -rf "$venv/open"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
    --target "$venv/open" -r requirements-open.lock
  touch "$venv/open/.complete"
  exit 0
fi

find_python() {
  local candidate
  for candidate in ${PYTHON:+"$PYTHON"} python3 python3.13 python3.12 python3.11; do
    if [ "$("$candidate" -c 'import sys; print(sys.version_info >= (3, 11))' 2>/dev/null)" = True ]; then
      printf '%s' "$candidate"
      return
    fi
    [ "$candidate" != "${PYTHON:-}" ] || say "PYTHON=$PYTHON is no Python 3.11 or newer: trying others"
  done
  return 1
}

java_major() {
  env -u JAVA_TOOL_OPTIONS -u _JAVA_OPTIONS -u JDK_JAVA_OPTIONS \
    "${JAVA_HOME:+$JAVA_HOME/bin/}java" -version 2>&1 | sed -nE 's/.* version "(1\.)?([0-9]+).*/\2/p' | head -n 1
}

python=$(find_python) || fail 'needs Python 3.11 or newer: apt-get install python3 python3-venv (or set PYTHON)'

[ -z "${JAVA_HOME:-}" ] || [ -x "$JAVA_HOME/bin/java" ] \
  || { say "JAVA_HOME=$JAVA_HOME has no bin/java: ignoring it here; unset it before you compare Spark"; unset JAVA_HOME; }
if [ "$(java_major || true)" -ge 17 ] 2>/dev/null; then :; else
  apt_install openjdk-17-jre-headless || apt_install openjdk-21-jre-headless \
    || say 'Spark needs Java 17 or newer and none was found: install openjdk-17-jre-headless (the other engines run without it)'
fi

rm -rf "$venv"
"$python" -m venv "$venv" 2>/dev/null || {
  rm -rf "$venv"
  apt_install python3-venv && "$python" -m venv "$venv" \
    || fail "$python cannot make a virtual environment: apt-get install python3-venv"
}

pip=("$venv/bin/python" -m pip install --quiet --disable-pip-version-check)
torch=$(grep '^torch==' requirements.lock)
say 'installing torch (the CPU build where there is one) and the other packages, some minutes'
# The CPU build has its own version; on Linux the plain version installs gigabytes of CUDA.
"${pip[@]}" "$torch+cpu" 2>/dev/null \
  || "${pip[@]}" "$torch+cpu" --extra-index-url https://download.pytorch.org/whl/cpu 2>/dev/null \
  || { say 'no CPU build of torch can be reached: taking the default build'; "${pip[@]}" "$torch"; }
"${pip[@]}" -r requirements.lock
"${pip[@]}" --no-deps --editable .
say "ready: $venv"
