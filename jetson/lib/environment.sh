# shellcheck shell=bash
# The environment that serves: one folder for each version and choice, so that the old one stays whole until the new one
# has shown that it works. ONNX Runtime for the GPU and for the CPU share a package, so that only ever one is installed;
# which one it is, a real inference decides.

pip() { run "$venv/bin/python" -m pip "$@"; }

# What makes one environment differ from another: the code, the locks, the system below, and what was asked for.
fingerprint() {
  {
    printf '%s\n' "$version" "$l4t" "$cpu"
    cat "$state/generation" 2>/dev/null || true
    if [ -n "$gpu_wheel" ]; then sha256sum <"$gpu_wheel"; fi
    if [ -n "$offline" ]; then
      cat "$offline/SHA256SUMS"
    else
      cd "$source" && find appliance models jetson constraints setup.py pyproject.toml -type f ! -path '*/__pycache__/*' -print0 |
        LC_ALL=C sort -z | xargs -0 sha256sum
    fi
  } | sha256sum | cut -c1-10
}

# environment_named: sets key and venv. What serves is never built over: where it lacks something, or --again asks for
# it, the next one has another name.
environment_named() {
  key=$(fingerprint)
  venv=$root/opt/appliance/venv-$version-$key
  if [ "$again" = yes ] || { switch_holds && ! environment_holds; }; then
    shown write "$state/generation"
    if [ "$dry" = yes ]; then
      key=${key%????}again
    else
      mkdir -p "$state"
      date +%s%N >"$state/generation"
      key=$(fingerprint)
    fi
    venv=$root/opt/appliance/venv-$version-$key
  fi
}

# Where packages come from.
from() { if [ -n "$offline" ]; then printf '%s\n' --no-index --find-links "$offline/wheels"; fi; }

environment_holds() { [ -x "$venv/bin/appliance" ] && [ -s "$venv/onnxruntime" ]; }

environment_do() {
  local -a from
  mapfile -t from < <(from)
  run mkdir -p "$state"
  noted "${venv#"$root"}"
  run rm -rf "$venv"
  if [ "$cpu" = yes ]; then
    run python3 -m venv "$venv"
  else
    # TensorRT's Python part is a Debian package.
    run python3 -m venv --system-site-packages "$venv"
  fi
  # Ubuntu's pip is older than the wheels' metadata.
  pip install "${from[@]}" -c "$source/$lock" pip
  if [ -n "$offline" ]; then
    pip install "${from[@]}" -c "$source/$lock" "edge-inference-appliance==$version"
  else
    # A copy: building must leave nothing of root's in somebody's checkout.
    run rm -rf "$state/source"
    run mkdir -p "$state/source"
    local one
    for one in setup.py pyproject.toml MANIFEST.in README.md CHANGELOG.md LICENSE appliance models; do
      run cp -R "$source/$one" "$state/source/"
    done
    run env ONNXRUNTIME=none "$venv/bin/python" -m pip install -c "$source/$lock" "$state/source"
    run rm -rf "$state/source"
  fi
  if [ "$cpu" = no ]; then tensorrt_seen; fi
  onnxruntime_chosen
}

# TensorRT and what handles its memory. Without it the rest serves, and says so.
tensorrt_seen() {
  local -a from
  mapfile -t from < <(from)
  pip install "${from[@]}" "$bindings" ||
    warn "无法安装 $bindings：TensorRT 不可用" "could not install $bindings, without which TensorRT has no device memory"
  local found=
  [ "$dry" = yes ] || found=$("$venv/bin/python" -I "$source/jetson/prove.py" tensorrt) || found=
  if [ -n "$found" ] && [[ $found != "$tensorrt"* ]]; then
    warn "TensorRT 版本是 $found" "TensorRT: expected $tensorrt of JetPack $jetpack, found $found: going on with it"
  elif [ -z "$found" ] && [ "$dry" = no ]; then
    warn "看不到 TensorRT，由 ONNX Runtime 计算" \
      "TensorRT: expected $tensorrt of JetPack $jetpack, python cannot import it: sudo apt-get install python3-libnvinfer"
  fi
}

onnxruntime_chosen() {
  local why='--cpu'
  if [ "$cpu" = no ]; then
    if onnxruntime_gpu; then
      written 0644 "${venv#"$root"}/onnxruntime" gpu
      return
    fi
    warn "ONNX Runtime 将使用 CPU，不使用 GPU（原因见下行）；TensorRT 引擎不受影响" \
      "ONNX RUNTIME SERVES ON THE CPU, not on the GPU: $why. TensorRT engines are not affected"
  fi
  local -a from
  mapfile -t from < <(from)
  pip install "${from[@]}" -c "$source/$whole_lock" onnxruntime
  run "$venv/bin/python" -I "$source/jetson/prove.py" CPUExecutionProvider
  written 0644 "${venv#"$root"}/onnxruntime" "cpu $why"
}

# Status 0 when a network has really been computed on the GPU; else `why` says what kept it from that.
onnxruntime_gpu() {
  local -a wheel from needs carried=()
  mapfile -t from < <(from)
  read -ra needs <<<"$gpu_needs"
  if [ -n "$offline" ]; then
    carried=("$offline"/wheels/onnxruntime_gpu-*.whl)
    [ -e "${carried[0]}" ] || carried=()
  fi
  if [ -n "$gpu_wheel" ]; then
    wheel=("$gpu_wheel")
  elif [ "${#carried[@]}" -gt 0 ]; then
    wheel=(--no-index "${carried[0]}")
  elif [ -n "$offline" ]; then
    why="the offline folder has no onnxruntime-gpu"
    return 1
  elif [ -n "$gpu" ]; then
    wheel=(--index-url "$gpu_index" "$gpu")
  else
    why="no wheel for this board with JetPack $jetpack is known; --gpu-wheel FILE takes your own"
    return 1
  fi
  why="the wheel could not be installed (${wheel[*]}); once it can be had: --again"
  pip install "${from[@]}" -c "$source/$lock" "${needs[@]}" || return 1
  pip install --no-deps "${wheel[@]}" || return 1
  if run "$venv/bin/python" -I "$source/jetson/prove.py" CUDAExecutionProvider; then return; fi
  why="its inference on the GPU failed (above); once that is mended: --again"
  pip uninstall -q -y onnxruntime-gpu
  return 1
}
