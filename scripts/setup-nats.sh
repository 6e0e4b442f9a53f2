#!/usr/bin/env bash
# Prints the path of a nats-server, for tests of fleets. Where there is none, Debian's is installed, which needs no service of the system to run;
# elsewhere the script says what to install. GPU_SETUP=skip never installs anything. Safe to run again.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/apt.sh"

find_server() { PATH="$PATH:/usr/sbin:/usr/local/sbin" command -v nats-server; }

advise() {
  say "no nats-server on PATH. Install one, 2.9 or newer: the package nats-server of Debian, Ubuntu, Arch or Homebrew, or a release of github.com/nats-io/nats-server"
  exit 1
}

if find_server; then exit 0; fi
[ "${GPU_SETUP:-}" != skip ] || advise
require_apt
say "no nats-server: installing the distribution's"
apt_update
apt install -y --no-install-recommends nats-server >/dev/null || { say "nats-server could not be installed"; advise; }
find_server || advise
