#!/usr/bin/env bash
# Makes sure that Dawn finds a WebGPU adapter. A machine that has one is left untouched; on Debian and Ubuntu
# a software Vulkan driver (Mesa's lavapipe) is installed, elsewhere the script says what to install.
# GPU_SETUP=skip never installs anything; --quiet says nothing of an adapter that was there already. Safe to run again.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"

. "$here/apt.sh"
probe() { node "$here/probe.mjs" 2>/dev/null; }

advise() {
  say "no WebGPU adapter. Dawn needs a Vulkan 1.3 driver: your GPU's own, or Mesa's lavapipe 25.0 or newer (22.3 is too old):"
  say "  Debian 12:         mesa-vulkan-drivers and libvulkan1 from bookworm-backports"
  say "  Debian 13, Ubuntu: apt-get install mesa-vulkan-drivers libvulkan1"
  say "  Fedora:            dnf install mesa-vulkan-drivers vulkan-loader"
  say "  Arch:              pacman -S vulkan-swrast vulkan-icd-loader"
  say "  Alpine:            not supported, Dawn's Node binding is built for glibc"
  say "or name a driver's manifest in VK_DRIVER_FILES, then run this again."
  exit 1
}

if adapter="$(probe)"; then
  [ "${1:-}" = --quiet ] || say "adapter found: $adapter"
  exit 0
fi
if [ "${GPU_SETUP:-}" = skip ]; then
  say "GPU_SETUP=skip: nothing is installed"
  advise
fi
if [ "$(uname -s)" != Linux ]; then
  say "macOS and Windows bring Metal and D3D12; there is nothing to install, yet no adapter answered"
  node "$here/probe.mjs" || exit 1
fi
require_apt
# Every package source that apt knows, in either file format: "mirror|suite|component".
sources() { apt-get indextargets --format '$(REPO_URI)|$(RELEASE)|$(COMPONENT)' 'Created-By: Packages'; }

say "no adapter: installing a software Vulkan driver"
release=()
apt_update
if [ "${ID:-}:${VERSION_CODENAME:-}" = debian:bookworm ]; then
  suite=bookworm-backports # bookworm's own Mesa 22.3 lacks features that Dawn insists on
  release=(-t "$suite")
  known="$(sources || true)"
  if ! grep -q "|$suite|" <<<"$known"; then
    list=/etc/apt/sources.list.d/iapo-backports.sources
    mirror="$(awk -F'|' '$2 == "bookworm" && $3 == "main" { print $1; exit }' <<<"$known")"
    [ -n "$mirror" ] || { say "apt knows no source of bookworm main"; advise; }
    say "adding $suite from the mirror that bookworm comes from, in $list"
    printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n' \
      "$mirror" "$suite" | ${as_root[@]+"${as_root[@]}"} tee "$list" >/dev/null
    if ! apt update; then
      ${as_root[@]+"${as_root[@]}"} rm -f "$list" # a source that cannot be read would break every later apt call
      say "$suite is not on this mirror"
      advise
    fi
  fi
fi
apt install -y --no-install-recommends ${release[@]+"${release[@]}"} libvulkan1 mesa-vulkan-drivers >/dev/null ||
  { say "the driver could not be installed"; advise; }

if ! adapter="$(probe)"; then
  node "$here/probe.mjs" || true
  advise
fi
say "adapter found: $adapter"
