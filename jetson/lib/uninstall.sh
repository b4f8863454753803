# shellcheck shell=bash
# Takes away what the installer put there, and nothing else: Debian packages stay, and so do settings and state (models,
# engines, what customers asked) unless --purge says otherwise. Works after an installation that was cut off, too.

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
    if [ -e "$root$one" ] || [ -L "$root$one" ]; then run rm -f "$root$one"; fi
  done
  if [ -d "$root/etc/systemd/system/appliance.service.d" ]; then
    # Drop-ins of the integrator's own stay, and the folder with them.
    run rmdir --ignore-fail-on-non-empty "$root/etc/systemd/system/appliance.service.d"
  fi
  if [ -d "$root/run/appliance-sound" ]; then run rm -rf "$root/run/appliance-sound"; fi
  run systemctl daemon-reload
  run udevadm control --reload
  if [ "$purge" = yes ]; then
    for one in /etc/appliance /var/lib/appliance; do
      if [ -d "$root$one" ]; then run rm -rf --one-file-system "$root$one"; fi
    done
    if getent passwd appliance >/dev/null; then run userdel appliance; fi
  else
    say "保留 /etc/appliance 和 /var/lib/appliance（--purge 一并删除）" \
      "kept: /etc/appliance, /var/lib/appliance and the user appliance (--purge removes them, too)"
  fi
  # Last, for it holds what this list was read from.
  if [ -d "$root/opt/appliance" ]; then run rm -rf --one-file-system "$root/opt/appliance"; fi
  say "已卸载；系统包未删除" "done; Debian packages were left alone"
}
