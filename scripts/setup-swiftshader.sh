#!/usr/bin/env bash
# For ./check --full: makes sure that SwiftShader is there, the second implementation of Vulkan that kernels are held to. On Debian it
# is part of chromium-common, 32 MB; nothing else is touched, and the default adapter stays what it was. Safe to run again.
set -euo pipefail
icd="${SWIFTSHADER_ICD:-/usr/lib/chromium/vk_swiftshader_icd.json}"
[ ! -e "$icd" ] || exit 0

. "$(dirname "${BASH_SOURCE[0]}")/apt.sh"
advise() {
  say "$icd is missing, so one test of ./check --full will fail. Install SwiftShader (Debian: chromium-common), or name its manifest in SWIFTSHADER_ICD."
  exit 1
}

[ "${GPU_SETUP:-}" != skip ] || advise
require_apt
say "installing chromium-common, which brings SwiftShader"
apt_update
apt install -y --no-install-recommends chromium-common >/dev/null || advise
[ -e "$icd" ] || advise
