# Sourced by ./iapo and ./check: the dependencies in place, the pinned pnpm and Node first on PATH.
# Needs only Node 20 or newer with npm. Does nothing, in a few milliseconds, when all is there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export TURBO_TELEMETRY_DISABLED=1 DO_NOT_TRACK=1
pnpm_version=12.21.0 # the same as packageManager in package.json

fail() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; exit 1; }

if [ ! -x node_modules/.bin/node ]; then
  command -v node >/dev/null || fail "Node is missing: install Node 20 or newer with npm, for instance your distribution's nodejs and npm"
  [ "$(node -p 'parseInt(process.versions.node)')" -ge 20 ] || fail "Node $(node --version) is too old: 20 or newer is needed to set up"
fi

# What was installed last: a mark of the lockfile and of every manifest that it follows.
manifests="$(cat pnpm-lock.yaml pnpm-workspace.yaml package.json packages/*/package.json apps/*/package.json | cksum)"
if [ "$(cat node_modules/.installed 2>/dev/null)" != "$manifests" ]; then
  command -v npx >/dev/null || fail "npm is missing: install the npm that belongs to Node $(node --version)"
  CI=true npx --yes "pnpm@$pnpm_version" install --frozen-lockfile >&2
  printf '%s\n' "$manifests" >node_modules/.installed
fi
export PATH="$PWD/node_modules/.bin:$PATH"

# Linux on x64 and arm64 has the pinned Node among the dependencies; elsewhere the developer's own must do.
case "$(node --version)" in
  v22.1[89].* | v22.[2-9][0-9].* | v24.1[1-9].* | v24.[2-9][0-9].* | v2[5-9].* | v[3-9][0-9].*) ;;
  *) fail "Node $(node --version) cannot run this project: install Node 24.11 or newer" ;;
esac
