# shellcheck shell=bash
# Debian packages: what the features need, and TensorRT's Python part, which only NVIDIA's own package sources have.

# What is off without a package; the same words as in .ci/system.
off_without() {
  case "$1" in
    libportaudio2) echo "no microphone and no loudspeaker of the kiosk's own" ;;
    libasound2-plugins) echo "no microphone that PulseAudio or PipeWire holds, and no echo cancellation" ;;
    tesseract-ocr*) echo "no OCR fallback when the OCR models are missing" ;;
    espeak-ng) echo "answers are not spoken" ;;
    fonts-wqy-microhei) echo "Chinese cannot be drawn into pictures" ;;
    python3-libnvinfer | nvidia-jetpack-runtime) echo "no TensorRT: networks run on ONNX Runtime" ;;
  esac
}

has_package() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null || true)" = installed ]; }

packages_wanted() {
  local one
  for one in python3-venv $features; do has_package "$one" || echo "$one"; done
  if [ "$cpu" = no ] && ! has_package python3-libnvinfer; then
    # A board that was flashed without the SDK's components has neither CUDA nor TensorRT.
    printf '%s\n' nvidia-jetpack-runtime python3-libnvinfer
  fi
}

packages_holds() { has_package python3-venv && [ -z "$(packages_wanted)" ]; }

packages_do() {
  local -a wanted
  mapfile -t wanted < <(packages_wanted)
  [ "${#wanted[@]}" -gt 0 ] || return 0
  local -a install=(env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-remove --no-install-recommends
    -o DPkg::Lock::Timeout=300 install)
  if [ -n "$offline" ]; then
    packages_carried "${install[@]}"
  else
    run apt-get -q -o DPkg::Lock::Timeout=300 -o Acquire::Retries=2 update ||
      warn "apt-get update 失败，使用已有列表" "apt-get update failed, going on with the lists at hand"
    if ! run "${install[@]}" "${wanted[@]}"; then
      # One package that a release lacks must not cost the others.
      local one
      for one in "${wanted[@]}"; do run "${install[@]}" "$one" || true; done
    fi
  fi
  [ "$dry" = yes ] && return
  mapfile -t wanted < <(packages_wanted)
  local one
  for one in "${wanted[@]}"; do
    if [ "$one" = python3-venv ]; then
      fail "无法安装 python3-venv" "python3-venv: expected to be installed, it is not" \
        "sudo apt-get install python3-venv；离线时把它的 deb 放入离线目录的 debs/" \
        "sudo apt-get install python3-venv; without network put its deb into debs/ of the offline folder"
    fi
    warn "缺少系统包 $one" "system package missing: $one ($(off_without "$one")): sudo apt-get install $one"
  done
  if [ "${#wanted[@]}" -gt 0 ]; then undone=yes; fi
}

packages_carried() {
  local -a debs=("$offline"/debs/*.deb)
  if [ -e "${debs[0]}" ]; then
    run "$@" --no-download "${debs[@]}" || warn "离线安装 deb 失败" "the debs of the offline folder could not all be installed"
  fi
}
