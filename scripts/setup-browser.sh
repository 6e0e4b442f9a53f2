#!/usr/bin/env bash
# Prints the path of a Chromium, for checks that need a browser. Where there is none, Debian's is installed; elsewhere the
# script says what to install. GPU_SETUP=skip never installs anything. Safe to run again.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/apt.sh"

find_browser() { command -v chromium || command -v chromium-browser || command -v google-chrome; }

advise() {
  say "no Chromium on PATH (chromium, chromium-browser or google-chrome). Install one, 121 or newer for WebGPU on Linux:"
  say "  Debian: apt-get install chromium"
  say "  Fedora: dnf install chromium"
  say "  Arch:   pacman -S chromium"
  say "  Ubuntu: its package only starts a snap; install Google's package"
  say "  macOS:  put a script named chromium on PATH that starts the application's binary"
  exit 1
}

if find_browser; then exit 0; fi
[ "${GPU_SETUP:-}" != skip ] || advise
require_apt
[ "${ID:-}" = debian ] || advise
say "no Chromium: installing Debian's"
apt_update
apt install -y --no-install-recommends chromium >/dev/null || { say "Chromium could not be installed"; advise; }
find_browser || advise
