#!/usr/bin/env bash
# For ./check --full: makes sure that SwiftShader is there, the second implementation of Vulkan that kernels are held to. On Debian it
# is part of chromium-common, 32 MB; nothing else is touched, and the default adapter stays what it was. Safe to run again.
set -euo pipefail
icd="${SWIFTSHADER_ICD:-/usr/lib/chromium/vk_swiftshader_icd.json}"
[ ! -e "$icd" ] || exit 0

say() { printf 'setup-swiftshader: %s\n' "$*" >&2; }
advise() {
  say "$icd is missing, so one test of ./check --full will fail. Install SwiftShader (Debian: chromium-common), or name its manifest in SWIFTSHADER_ICD."
  exit 1
}

[ "${GPU_SETUP:-}" != skip ] || advise
command -v apt-get >/dev/null || advise
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || advise
  as_root=(sudo)
fi
apt() {
  ${as_root[@]+"${as_root[@]}"} env DEBIAN_FRONTEND=noninteractive \
    apt-get -o DPkg::Lock::Timeout=120 -o Acquire::Retries=3 -qq "$@"
}
say "installing chromium-common, which brings SwiftShader"
apt update || say "apt-get update failed; going on with the lists that are here"
apt install -y --no-install-recommends chromium-common >/dev/null || advise
[ -e "$icd" ] || advise
