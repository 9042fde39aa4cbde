#!/usr/bin/env bash
# Regenerates requirements.lock and requirements-open.lock from pyproject.toml: run it to move to
# newer versions, then test.
set -euo pipefail
cd "$(dirname "$0")"
venv=$(mktemp -d)
trap 'rm -rf "$venv"' EXIT
python3 -m venv "$venv"
"$venv/bin/pip" install --quiet --upgrade 'pip>=25.1'
# Pin the version whose CPU build install.sh looks for; otherwise pip takes the newest CUDA build.
"$venv/bin/pip" install --quiet "${TORCH:-torch==2.13.0}"
"$venv/bin/pip" install --quiet '.[ray,dask,spark,loky]' --group dev
{
  echo '# Written by lock.sh from pyproject.toml; installed by install.sh.'
  "$venv/bin/pip" freeze --exclude engine-compare --exclude pip | sed 's/^\(torch==[^+]*\)+cpu$/\1/'
} > requirements.lock
"$venv/bin/pip" install --quiet '.[open]'
{
  echo '# Written by lock.sh: what the extra "open" adds, for the tests of ray-data and spark-udf.'
  "$venv/bin/pip" freeze | grep '^pyarrow=='
} > requirements-open.lock
