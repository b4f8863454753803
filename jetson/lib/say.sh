# shellcheck shell=bash
# What the installer tells people: Chinese first, English beside it. An error says what was expected, what was found and
# what to do.

warnings=()

# title ZH EN: what is looked at or done next.
title() { printf '\n== %s / %s\n' "$1" "$2"; }

# say ZH EN: a line under the title.
say() { printf '   %s / %s\n' "$1" "$2"; }

# warn ZH EN: goes on, and says so again at the end.
warn() {
  printf '!! 注意：%s\n   note: %s\n' "$1" "$2" >&2
  warnings+=("$1 / $2")
}

# refuse ZH EN ZH-TODO EN-TODO: what was expected and found, and what to do. Ends with 2: nothing has been changed.
refuse() { fail "$@" 2; }

# fail ZH EN ZH-TODO EN-TODO [STATUS]
fail() {
  printf '错误：%s\n%s\n  → %s\n  → %s\n' "$1" "$2" "$3" "$4" >&2
  trap - ERR
  exit "${5:-1}"
}

# One word as a shell would read it.
quoted() {
  if [[ $1 =~ ^[A-Za-z0-9_./:=,@%+*^-]+$ ]]; then printf '%s' "$1"; else printf '%q' "$1"; fi
}

# shown COMMAND...: the command on one line.
shown() {
  local word line=
  for word in "$@"; do line+=" $(quoted "$word")"; done
  printf '  +%s\n' "$line"
}
