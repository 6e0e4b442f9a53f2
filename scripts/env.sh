# Sourced, in bash or zsh, by people and by ./iapo and ./check: sets the project up, then puts the pinned Node, pnpm and tools first on PATH.
# Changes nothing else of the shell it is sourced in; its status is 1 where the set-up failed.
iapo_root="$(cd "$(dirname "${BASH_SOURCE[0]:-$0}")/.." && pwd)"
if "$iapo_root/scripts/set-up.sh"; then
  export PATH="$iapo_root/node_modules/.bin:$PATH"
  unset iapo_root
else
  unset iapo_root
  false
fi
