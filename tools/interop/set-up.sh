#!/usr/bin/env bash
# Makes tools/interop/.venv with what the lists beside this file name; a second call does nothing. Ends with 3 where there is no Python or no package index.
set -euo pipefail
cd "$(dirname "$0")"
sum="$(cat requirements.txt constraints.txt unresolved.txt transformers4.txt | sha256sum | cut -d' ' -f1)"
[ "$(cat .venv/requirements.sha256 2>/dev/null || true)" = "$sum" ] && exit 0
python="${PYTHON:-python3}"
command -v "$python" >/dev/null || { echo "no $python: set PYTHON"; exit 3; }
"$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { echo "$python is not Python 3.11: set PYTHON"; exit 3; }
rm -rf .venv
"$python" -m venv .venv
# What is imported is compiled then: most of it never is.
install() { .venv/bin/pip install --quiet --disable-pip-version-check --no-input --no-compile --retries 1 "$@"; }
if ! { install --requirement requirements.txt --constraint constraints.txt &&
  install --no-deps --requirement unresolved.txt &&
  install --no-deps --target .venv/transformers4 --requirement transformers4.txt; }; then
  echo "the package index cannot be reached, or lacks what the lists name"
  rm -rf .venv
  exit 3
fi
echo "$sum" >.venv/requirements.sha256
