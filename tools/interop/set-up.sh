#!/usr/bin/env bash
# Makes tools/interop/.venv with what requirements.txt names; a second call does nothing. Ends with 3 where there is no Python or no package index.
set -euo pipefail
cd "$(dirname "$0")"
sum="$(sha256sum requirements.txt | cut -d' ' -f1)"
[ "$(cat .venv/requirements.sha256 2>/dev/null || true)" = "$sum" ] && exit 0
python="${PYTHON:-python3}"
command -v "$python" >/dev/null || { echo "interop: no $python; set PYTHON, or skip"; exit 3; }
rm -rf .venv
"$python" -m venv .venv
if ! .venv/bin/pip install --quiet --disable-pip-version-check --requirement requirements.txt; then
  echo "interop: the package index cannot be reached, or lacks what requirements.txt names"
  rm -rf .venv
  exit 3
fi
echo "$sum" >.venv/requirements.sha256
