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

# appended TEXT FILE SHOWN: at the end of somebody's file, all of it or nothing; owner, mode and every line of theirs stay.
# Where the file is a link, it stays one.
appended() {
  shown append "$3" "$2"
  [ "$dry" = yes ] && return
  local target
  target=$(realpath -- "$2")
  cp -p -- "$target" "$target.new"
  # A last line of theirs without an end is ended first.
  if [ -s "$target.new" ] && [ -n "$(tail -c 1 "$target.new")" ]; then echo >>"$target.new"; fi
  printf '%s\n' "$1" >>"$target.new"
  sync -- "$target.new"
  mv -f -- "$target.new" "$target"
}

# noted PATH: remember, before it is made, a path that this installer makes, a whole environment too: --uninstall takes
# these away and no others. Its own notes in .install need none.
noted() {
  if [ "$dry" = yes ] || [[ $1 == /opt/appliance/.install/* ]]; then return; fi
  [ -d "$state" ] || mkdir -p "$state"
  grep -sqxF -- "$1" "$state/files" || printf '%s\n' "$1" >>"$state/files"
}

made_here() { grep -sqxF -- "$1" "$state/files"; }
