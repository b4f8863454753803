# shellcheck shell=bash
# The screen, and with it the sound: both belong to the user who is logged in there (--kiosk-user). Their sound server
# (PulseAudio on JetPack 6, PipeWire on JetPack 7) takes the kiosk's voice out of the microphone and lets the service in
# by a socket of its own; docs/install-jetson.md says why so and not otherwise.

kiosk_home() { getent passwd "$kiosk_user" | cut -d: -f6; }

kiosk_check() {
  [ -n "$kiosk_user" ] || return 0
  if [ -z "$(kiosk_home)" ] || [ "$kiosk_user" = root ]; then
    refuse "没有用户 $kiosk_user" "--kiosk-user: expected the ordinary user of the screen, found '$kiosk_user'" \
      "请给出自动登录的用户名" "Name the user who is logged in automatically"
  fi
}

kiosk_link() { printf '%s/.config/systemd/user/graphical-session.target.wants/appliance-kiosk.service' "$(kiosk_home)"; }

kiosk_holds() { [ -z "$kiosk_user" ] || [ -L "$root$(kiosk_link)" ]; }

kiosk_do() {
  if [ -z "$kiosk_user" ]; then
    say "未指定 --kiosk-user，不设置浏览器和回声消除" "without --kiosk-user no browser and no echo cancellation"
    return
  fi
  local link
  link=$(kiosk_link)
  if [ ! -f "$root/etc/appliance/kiosk.env" ]; then run install -D -m 0644 "$source/systemd/kiosk.env" "$root/etc/appliance/kiosk.env"; fi
  # What `systemctl --user enable` does, but without that user's session; as that user, for the folders are theirs.
  noted "$link"
  run runuser -u "$kiosk_user" -- mkdir -p "$root${link%/*}"
  run runuser -u "$kiosk_user" -- ln -sfn /etc/systemd/user/appliance-kiosk.service "$root$link"
}

# Which sound server that session has: none, pulseaudio or pipewire.
sound_server() {
  if has_package pipewire-pulse; then echo pipewire; elif has_package pulseaudio; then echo pulseaudio; else echo none; fi
}

sound_files() {
  printf '%s\n' "alsa.conf /etc/alsa/conf.d/98-appliance.conf"
  case "$(sound_server)" in
    pipewire) printf '%s\n' "pipewire-pulse.conf /etc/pipewire/pipewire-pulse.conf.d/appliance.conf" ;;
    pulseaudio) printf '%s\n' "pulseaudio.pa /etc/pulse/default.pa.d/appliance.pa" ;;
  esac
}

sound_wanted() { [ -n "$kiosk_user" ] && [ "$echo_cancellation" = yes ] && [ "$(sound_server)" != none ]; }

sound_holds() {
  sound_wanted || return 0
  local from to
  while read -r from to; do same "$source/jetson/sound/$from" "$root$to" || return 1; done < <(sound_files)
}

sound_do() {
  if [ -n "$kiosk_user" ] && [ "$(sound_server)" = none ]; then
    warn "没有 PulseAudio 或 PipeWire，无回声消除" "neither PulseAudio nor PipeWire is installed: no echo cancellation"
  fi
  sound_wanted || return 0
  local from to
  written 0644 /etc/tmpfiles.d/appliance-sound.conf "$(sed "s/@KIOSK@/$kiosk_user/" "$source/jetson/sound/tmpfiles.conf")"
  run systemd-tmpfiles --create "$root/etc/tmpfiles.d/appliance-sound.conf"
  while read -r from to; do place 0644 "$source/jetson/sound/$from" "$to"; done < <(sound_files)
  if grep -Eqs '^(microphone|speaker):' "$root$settings_file"; then
    say "设置中已有 microphone 或 speaker，保持不变；回声消除的名称是 echo-cancel、echo-cancel-out" \
      "microphone or speaker are set already and stay; those with echo cancellation are echo-cancel and echo-cancel-out"
  else
    appended $'\n# Echo cancellation in the session of the kiosk user, by jetson/install.sh.\nmicrophone: echo-cancel\nspeaker: echo-cancel-out' \
      "$root$settings_file" "microphone: echo-cancel, speaker: echo-cancel-out"
  fi
  say "$kiosk_user 重新登录后生效" "in force when $kiosk_user has logged in anew, or after a reboot"
}
