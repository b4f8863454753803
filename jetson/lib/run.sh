# shellcheck shell=bash
# The one door to everything that changes the machine: with --dry-run a command is only shown. What merely looks
# (dpkg-query, df, systemctl is-active) is called directly.

# run COMMAND...
run() {
  shown "$@"
  [ "$dry" = yes ] || "$@"
}

# serving COMMAND...: as the user that serves, whose home and caches are the units' own.
serving() {
  run runuser -u appliance -- env HOME=/var/lib/appliance XDG_CACHE_HOME=/var/lib/appliance/cache \
    CUDA_CACHE_PATH=/var/lib/appliance/cache/cuda "$@"
}

same() { cmp -s -- "$1" "$2"; }

# place MODE FROM TO: a file of this folder into the system, whole or not at all; noted, so that --uninstall finds it.
place() {
  local target=$root$3
  noted "$3"
  if same "$2" "$target"; then return; fi
  run install -D -m "$1" "$2" "$target.new"
  run mv -f "$target.new" "$target"
}

# written MODE TO TEXT: the same with a text that is made here.
written() {
  local target=$root$2
  noted "$2"
  if [ -f "$target" ] && [ "$(cat "$target")" = "$3" ]; then return; fi
  shown write "$target"
  [ "$dry" = yes ] && return
  mkdir -p "$(dirname "$target")"
  printf '%s\n' "$3" >"$target.new"
  chmod "$1" "$target.new"
  mv -f "$target.new" "$target"
}

# noted PATH: remember a path outside of /opt/appliance that this installer made.
noted() {
  if [ "$dry" = yes ] || [[ $1 == /opt/appliance/* ]]; then return; fi
  [ -d "$state" ] || mkdir -p "$state"
  grep -sqxF -- "$1" "$state/files" || printf '%s\n' "$1" >>"$state/files"
}
