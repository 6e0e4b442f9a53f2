# Sourced by the setup-*.sh scripts: Debian's and Ubuntu's packages, as root or by sudo.
# The script that sources it defines `advise`, which says what to install by hand and exits 1.
say() { printf '%s: %s\n' "$(basename "$0" .sh)" "$*" >&2; }

# Gives advice and ends where packages cannot be installed by apt; sets what apt() needs, and os-release's ID and VERSION_CODENAME.
require_apt() {
  command -v apt-get >/dev/null && [ -r /etc/os-release ] || advise
  . /etc/os-release
  case " ${ID:-} ${ID_LIKE:-} " in *" debian "* | *" ubuntu "*) ;; *) advise ;; esac
  as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
      say "installing packages needs root or sudo"
      advise
    fi
    as_root=(sudo)
  fi
}

apt() {
  ${as_root[@]+"${as_root[@]}"} env DEBIAN_FRONTEND=noninteractive \
    apt-get -o DPkg::Lock::Timeout=120 -o Acquire::Retries=3 -qq "$@"
}

apt_update() { apt update || say "apt-get update failed; going on with the lists that are here"; }
