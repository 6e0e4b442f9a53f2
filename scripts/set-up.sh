#!/usr/bin/env bash
# The dependencies in place, the pinned Node among them. Needs only Node 20 or newer with npm.
# Does nothing, in a few milliseconds, when all is there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
pnpm_version=12.21.0 # the same as packageManager in package.json

fail() { printf 'set-up: %s\n' "$*" >&2; exit 1; }

if [ ! -x node_modules/.bin/node ]; then
  command -v node >/dev/null || fail "Node is missing: install Node 20 or newer with npm, for instance your distribution's nodejs and npm"
  [ "$(node -p 'parseInt(process.versions.node)')" -ge 20 ] || fail "Node $(node --version) is too old: 20 or newer is needed to set up"
fi

# What was installed last: a mark of the lockfile and of every manifest that it follows.
manifests="$(find . -maxdepth 3 -name package.json -not -path '*/node_modules/*' | sort | xargs cat pnpm-lock.yaml pnpm-workspace.yaml | cksum)"
if [ "$(cat node_modules/.installed 2>/dev/null)" != "$manifests" ]; then
  command -v npx >/dev/null || fail "npm is missing: install the npm that belongs to Node $(node --version)"
  printf 'set-up: installing the dependencies\n' >&2
  # Errors only: otherwise the outer Node, which the next lines replace, gets a warning for each package.
  CI=true npx --yes --loglevel=error "pnpm@$pnpm_version" install --frozen-lockfile --loglevel=error >&2
  printf '%s\n' "$manifests" >node_modules/.installed
fi

# Linux on x64 and arm64 has the pinned Node among the dependencies; elsewhere the developer's own must do.
version="$(PATH="$PWD/node_modules/.bin:$PATH" node --version)"
case "$version" in
  v22.1[89].* | v22.[2-9][0-9].* | v24.1[1-9].* | v24.[2-9][0-9].* | v2[5-9].* | v[3-9][0-9].*) ;;
  *) fail "Node $version cannot run this project: install Node 24.11 or newer" ;;
esac
