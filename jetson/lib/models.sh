# shellcheck shell=bash
# Models and engines, both as the user that serves: engines are sealed with a secret of the installation.

settings_file=/etc/appliance/appliance.yaml

models_holds() { [ -n "$(ls -A "$root/var/lib/appliance/models" 2>/dev/null)" ]; }

models_do() {
  local -a folder=()
  if [ -n "$offline" ]; then
    # A stick may be closed to the user that serves.
    run rm -rf "$state/models"
    run mkdir -p "$state"
    run cp -R "$offline/models" "$state/models"
    run chmod -R a+rX "$state/models"
    folder=(--from "$state/models")
  fi
  serving "$venv/bin/appliance" models pull "${folder[@]}" -c "$root$settings_file" || fail \
    "模型未能全部安装" "models: expected every default model, some are missing (above)" \
    "检查网络后再次运行；没有网络请用 --offline 目录" "Run it again with a network; without one use --offline FOLDER"
  run rm -rf "$state/models"
}

engines_holds() { [ "$cpu" = yes ] || [ -d "$root/var/lib/appliance/engines" ]; }

engines_do() {
  if [ "$cpu" = yes ]; then
    say "--cpu：不编译引擎" "--cpu: no engines are built"
    return
  fi
  say "首次编译需数十分钟，中断后可继续" "the first build takes many minutes; when it is cut off, it goes on"
  if ! serving "$venv/bin/appliance" engines build -c "$root$settings_file"; then
    warn "引擎未全部编译，由 ONNX Runtime 计算" \
      "engines: expected all of them, some were not built (above); ONNX Runtime serves these: docs/engines.md"
    undone=yes
  fi
}
