# shellcheck shell=bash
# The user that serves, its settings, the units, and the change from one version to the next: the old environment and the
# old units stay until the new ones have been seen serving, and come back when they do not.

paused=no

user_holds() {
  local groups one
  groups=" $(id -nG appliance 2>/dev/null || true) "
  for one in audio video render; do [[ $groups == *" $one "* ]] || return 1; done
  same "$source/systemd/sysusers.conf" "$root/usr/lib/sysusers.d/appliance.conf" && rules_hold && [ -d "$root/var/lib/appliance" ]
}

rules_hold() {
  local rule
  for rule in "$source"/systemd/udev/*.rules; do
    [ ! -e "$rule" ] || same "$rule" "$root/etc/udev/rules.d/${rule##*/}" || return 1
  done
}

user_do() {
  local rule
  place 0644 "$source/systemd/sysusers.conf" /usr/lib/sysusers.d/appliance.conf
  run systemd-sysusers "$root/usr/lib/sysusers.d/appliance.conf"
  run mkdir -p "$root/var/lib/appliance"
  run chown appliance:appliance "$root/var/lib/appliance"
  run chmod 0750 "$root/var/lib/appliance"
  if ! rules_hold; then
    for rule in "$source"/systemd/udev/*.rules; do place 0644 "$rule" "/etc/udev/rules.d/${rule##*/}"; done
    run udevadm control --reload
    run udevadm trigger --action=change
  fi
  [ "$dry" = yes ] || nodes_check
}

# The nodes that CUDA opens, where there are any: whoever serves has to be let in.
nodes_check() {
  local node
  for node in "$root"/dev/nvmap "$root"/dev/nvhost-ctrl-gpu "$root"/dev/nvgpu/igpu0/ctrl "$root"/dev/nvidiactl "$root"/dev/dri/renderD*; do
    [ -e "$node" ] || continue
    runuser -u appliance -- test -r "$node" -a -w "$node" ||
      warn "用户 appliance 不能访问 $node" "user appliance: expected to reach $node, it may not ($(stat -c '%U:%G %a' "$node")): the GPU stays unused"
  done
}

settings_holds() { [ -f "$root$settings_file" ]; }

# What is there is somebody's: it is never overwritten.
settings_do() {
  if [ -f "$root$settings_file" ]; then return; fi
  run install -D -m 0640 "$source/systemd/appliance.yaml" "$root$settings_file.new"
  run chgrp appliance "$root$settings_file.new"
  run mv "$root$settings_file.new" "$root$settings_file"
}

system_units() {
  local unit
  for unit in "$source"/systemd/*.service "$source"/systemd/*.path "$source"/systemd/*.timer "$source"/systemd/*.socket; do
    [ ! -e "$unit" ] || printf '%s\n' "$unit"
  done
}

# Units that begin by themselves; the others, and each of a template, are begun by these or by a rule for a device.
enabled_units() {
  local unit
  while read -r unit; do
    if [[ $unit != *@.* ]] && grep -q '^WantedBy=' "$unit"; then printf '%s\n' "${unit##*/}"; fi
  done < <(system_units)
}

units_holds() {
  local unit
  while read -r unit; do
    same "$unit" "$root/etc/systemd/system/${unit##*/}" || return 1
  done < <(system_units)
  while read -r unit; do
    systemctl is-enabled --quiet "$unit" || return 1
  done < <(enabled_units)
}

units_do() {
  local unit place
  local -a enabled
  for place in "$source"/systemd/user/*.service; do place 0644 "$place" "/etc/systemd/user/${place##*/}"; done
  while read -r unit; do
    place=$root/etc/systemd/system/${unit##*/}
    # What serves today comes back when the new one does not.
    if [ -f "$place" ] && ! same "$unit" "$place"; then run install -D -m 0644 "$place" "$state/units-before/${unit##*/}"; fi
    place 0644 "$unit" "/etc/systemd/system/${unit##*/}"
  done < <(system_units)
  # Opens what the settings name, and nothing where they name nothing.
  noted /etc/systemd/system/appliance.service.d/openings.conf
  run "$venv/bin/appliance" service drop-in -c "$root$settings_file" -o "$root/etc/systemd/system/appliance.service.d/openings.conf"
  run systemctl daemon-reload
  mapfile -t enabled < <(enabled_units)
  run systemctl enable "${enabled[@]}"
}

# The board's memory does not hold two of them while engines are built.
pause() {
  if ! systemctl is-active --quiet appliance.service; then return; fi
  title "暂停正在运行的服务" "stopping the service that runs, until the new one is ready"
  [ "$dry" = yes ] || paused=yes
  run systemctl stop appliance.service
}

resume() {
  [ "$paused" = yes ] || return 0
  paused=no
  printf '!! 恢复原来的服务 / starting the service as it was\n' >&2
  run systemctl start appliance.service || true
}

self_check() {
  title "自检" "self-check"
  serving "$venv/bin/appliance" check -c "$root$settings_file" || fail \
    "自检未通过，仍使用原来的版本" "appliance check: expected ready, it is not (above); what served before goes on" \
    "按上面的提示处理，然后再次运行安装程序" "Do what the lines above say, then run the installer again"
}

switch_holds() { [ "$(readlink "$root/opt/appliance/venv" || true)" = "${venv##*/}" ]; }

switch_do() {
  local link=$root/opt/appliance/venv before
  before=$(readlink "$link" || true)
  if [ -d "$link" ] && [ ! -L "$link" ]; then
    # Made by hand, as docs/service.md says. Its programs know only the name that it has there.
    before='venv-by-hand'
  fi
  if [ -n "$before" ] && [ "$before" != "${venv##*/}" ]; then written 0644 /opt/appliance/.install/previous "$before"; fi
  if [ "$before" = venv-by-hand ]; then run mv "$link" "$root/opt/appliance/venv-by-hand"; fi
  noted /opt/appliance/venv
  run ln -sfn "${venv##*/}" "$link.new"
  run mv -T "$link.new" "$link"
}

# A board without NVIDIA's table of modes has none to set, and its unit says so by staying inactive.
power_holds() { [ ! -f "$root/etc/nvpmodel.conf" ] || systemctl is-active --quiet appliance-power.service; }

power_do() {
  if run systemctl restart appliance-power.service; then return; fi
  undone=yes
  warn "功率模式未能设置" "appliance-power failed: journalctl -u appliance-power; the board stays in its mode"
}

start_holds() { systemctl is-active --quiet appliance.service; }

start_do() {
  local unit
  while read -r unit; do
    if [[ $unit == *.path || $unit == *.timer || $unit == *.socket ]]; then run systemctl restart "$unit"; fi
  done < <(enabled_units)
  # Returns when it has answered a request over its own socket.
  if run systemctl restart appliance.service; then
    paused=no
    return
  fi
  roll_back
  fail "新版本未能启动，已恢复原来的版本" "appliance.service: expected to start, it did not; the version before is back" \
    "查看 journalctl -u appliance -n 50" "Look at journalctl -u appliance -n 50, then run the installer again"
}

roll_back() {
  local before link=$root/opt/appliance/venv unit
  before=$(cat "$state/previous" 2>/dev/null || true)
  if [ -z "$before" ] || [ ! -d "$root/opt/appliance/$before" ]; then
    run systemctl stop appliance.service || true
    fail "服务未能启动" "appliance.service: expected to start, it did not; there is no version before" \
      "查看 journalctl -u appliance -n 50，处理后再次运行安装程序" \
      "Look at journalctl -u appliance -n 50, then run the installer again"
  fi
  paused=no
  forget switch
  forget units
  for unit in "$state"/units-before/*; do
    [ ! -e "$unit" ] || run install -m 0644 "$unit" "$root/etc/systemd/system/${unit##*/}"
  done
  if [ "$before" = venv-by-hand ]; then
    run rm -f "$link"
    run mv "$root/opt/appliance/venv-by-hand" "$link"
  else
    run ln -sfn "$before" "$link.new"
    run mv -T "$link.new" "$link"
  fi
  run systemctl daemon-reload
  run systemctl restart appliance.service || true
}

# What only this run needed, and environments of its own that are older than the one before; others are somebody's.
tidy() {
  local one keep
  keep=$(cat "$state/previous" 2>/dev/null || true)
  for one in "$root"/opt/appliance/venv-*; do
    if made_here "${one#"$root"}" && [ ! -L "$one" ] && [ "$one" != "$venv" ] && [ "${one##*/}" != "$keep" ]; then run rm -rf "$one"; fi
  done
  for one in "$state/pip" "$state/source" "$state/models" "$state/units-before"; do
    if [ -e "$one" ]; then run rm -rf "$one"; fi
  done
}
