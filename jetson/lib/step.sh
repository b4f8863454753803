# shellcheck shell=bash
# Steps: each has NAME_holds (looks, changes nothing) and NAME_do. A step that was done with the same key and still holds
# is passed over, so that an installation that was cut off goes on where it ended and a second one does nothing.

number=0 current='' undone=''

# step NAME KEY ZH EN
step() {
  local name=$1 key=$2
  number=$((number + 1))
  title "[$number/$steps] $3" "$4"
  if recorded "$name" "$key" && "${name}_holds"; then
    say "已完成" "done already"
    return
  fi
  forget "$name"
  current=$name undone=
  "${name}_do"
  current=
  # Went on without a part, and said so: tried again the next time.
  if [ "$dry" = yes ] || [ "$undone" = yes ]; then return; fi
  "${name}_holds" || fail "步骤 $name 完成后检查未通过" "step $name: expected it to hold after it was done, it does not" \
    "再次运行安装程序；仍失败请附上以上输出报告" "Run the installer again; if that fails, report it with the lines above"
  record "$name" "$key"
}

recorded() { grep -sqxF -- "$1 $2" "$state/steps"; }

forget() {
  [ "$dry" = yes ] && return
  [ -f "$state/steps" ] || return 0
  grep -v "^$1 " "$state/steps" >"$state/steps.new" || true
  mv -f "$state/steps.new" "$state/steps"
}

record() {
  [ -d "$state" ] || mkdir -p "$state"
  { grep -sv "^$1 " "$state/steps" || true; printf '%s %s\n' "$1" "$2"; } >"$state/steps.new"
  mv -f "$state/steps.new" "$state/steps"
}
