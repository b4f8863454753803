# shellcheck shell=bash
# Takes away what the installer put there (its list is .install/files), and nothing else: Debian packages stay, and so do
# settings and state (models, engines, what customers asked) unless --purge says otherwise. Works after an installation
# that was cut off, too.
#
# Nothing is ever deleted through a link. A link that stands where a file was put is itself taken away, never what it
# leads to; a folder that is a link, or that is reached by one, was arranged so by somebody: it stays whole, and is named.

left=()

# stays PATH ZH EN: is named at the end, with the reason.
stays() { left+=("$1：$2 / $3"); }

# by_a_link PATH: a folder above it is a link, or the path is none that the installer would write.
by_a_link() {
  local above=${1%/*}
  [ "$(realpath -m -- "$root$above")" != "$root$above" ]
}

# away PATH [FOLDER]: a file or link; with `folder` a folder with everything in it.
away() {
  local path=$root$1
  if [ ! -e "$path" ] && [ ! -L "$path" ]; then return; fi
  if by_a_link "$1"; then
    stays "$1" "上级目录是链接" "a folder above it is a link: nothing is deleted through one"
  elif [ "${2:-}" = folder ] && [ -L "$path" ]; then
    stays "$1" "是链接，指向 $(readlink -- "$path")" "is a link to $(readlink -- "$path"): nothing is deleted through one"
  elif [ "${2:-}" = folder ]; then
    # Another disk that is mounted in it, or is it, stays, as does what may not be deleted; rm names it.
    run rm -rf --one-file-system "$path" || true
    if [ "$dry" = no ] && [ -e "$path" ]; then stays "$1" "未能全部删除，原因见上" "not all of it could be deleted: the reason is above"; fi
  elif [ -d "$path" ] && [ ! -L "$path" ]; then
    stays "$1" "是目录，不是所安装的文件" "is a folder, not the file that was put there"
  else
    run rm -f "$path"
  fi
}

# emptied PATH: a folder goes when nothing is in it.
emptied() {
  local path=$root$1
  if [ ! -d "$path" ] || [ -L "$path" ] || by_a_link "$1"; then return; fi
  run rmdir --ignore-fail-on-non-empty "$path"
}

uninstall() {
  local -a files=() units=()
  local one
  if [ -f "$state/files" ]; then mapfile -t files <"$state/files"; fi
  for one in "${files[@]}"; do
    if [[ $one == /etc/systemd/system/*.* && $one != *.d/* && $one != *@.* ]]; then units+=("${one##*/}"); fi
  done
  title "卸载" "uninstalling"
  if [ "${#units[@]}" -gt 0 ]; then run systemctl disable --now "${units[@]}" || true; fi
  for one in "${files[@]}"; do
    [[ $one == /opt/appliance/* ]] || away "$one"
  done
  # Drop-ins of the integrator's own stay, and the folder with them.
  emptied /etc/systemd/system/appliance.service.d
  away /run/appliance-sound folder
  run systemctl daemon-reload
  run udevadm control --reload
  if [ "$purge" = yes ]; then purged; else kept; fi
  programs_away "${files[@]}"
  for one in "${left[@]}"; do printf '!! 保留 / left: %s\n' "$one"; done
  say "已卸载；系统包未删除" "done; Debian packages were left alone"
}

kept() {
  say "保留 /etc/appliance 和 /var/lib/appliance（--purge 一并删除）" \
    "kept: /etc/appliance, /var/lib/appliance and the user appliance (--purge removes them, too)"
  if grep -Eqs '^(microphone|speaker): echo-cancel' "$root/etc/appliance/appliance.yaml"; then
    stays /etc/appliance/appliance.yaml "其中仍有 microphone/speaker: echo-cancel" \
      "microphone or speaker still name echo-cancel, which is gone: delete these lines before it is used without --kiosk-user"
  fi
}

purged() {
  local before=${#left[@]}
  away /etc/appliance folder
  away /var/lib/appliance folder
  getent passwd appliance >/dev/null || return 0
  # The number of a user that is gone is given to the next one, and with it every file that is left.
  if [ "${#left[@]}" -gt "$before" ]; then
    stays "appliance" "该用户仍拥有保留的文件" "the user stays with the files left: once they are gone, userdel appliance"
  else
    run userdel appliance
  fi
}

# programs_away FILE...: environments, links, and last the list that all of this was read from.
programs_away() {
  local one name place=/opt/appliance
  [ -e "$root$place" ] || return 0
  if [ -L "$root$place" ] || by_a_link "$place"; then
    stays "$place" "是链接或经由链接" "is a link, or is reached by one: nothing is deleted through one; what is there can be deleted by hand"
    return
  fi
  for one in "$root$place"/* "$root$place"/.[!.]*; do
    if [ ! -e "$one" ] && [ ! -L "$one" ]; then continue; fi
    name=${one#"$root"}
    if [ "$name" = "$place/.install" ] || [ "$name" = "$place/venv.new" ]; then continue; fi
    if [[ " $* " != *" $name "* ]]; then
      stays "$name" "不是安装程序放置的" "was not put there by the installer"
    elif [ -d "$one" ] && [ ! -L "$one" ] && [ "${name##*/}" != venv ]; then
      away "$name" folder
    else
      away "$name"
    fi
  done
  away "$place/venv.new"
  away "$place/.install" folder
  emptied "$place"
}
