#!/usr/bin/env bash
# Makes a folder from which a Jetson is installed without a network: wheels for its Python and processor (those that
# exist as source only are built here), models, and the installer itself. Run it on any Linux machine with a network.
set -Eeuo pipefail
umask 022

usage() {
  cat <<'TEXT'
用法 / usage: jetson/offline-folder.sh --jetpack 6|7 FOLDER [选项 / OPTION...]
              jetson/offline-folder.sh --seal FOLDER [--sign KEY]

  --cpu               不要 GPU 轮子 / without ONNX Runtime for the GPU and cuda-bindings
  --gpu-wheel FILE    自备的 onnxruntime-gpu / your own onnxruntime-gpu wheel
  --seal FOLDER       重新计算校验和（加入 debs/*.deb 之后）/ write SHA256SUMS anew, after debs were added
  --sign KEY          用 ed25519 私钥（PEM）签名 / sign the sums with a private key, as `appliance bundle key new` makes it

Exit codes: 0 done, 1 failed, 2 wrong usage.
TEXT
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source=$(dirname "$here")
cpu=no gpu_wheel='' number='' folder='' seal=no sign='' module=''
# shellcheck source=lib/say.sh
. "$here/lib/say.sh"
# shellcheck source=lib/options.sh
. "$here/lib/options.sh"
# shellcheck source=lib/pip.sh
. "$here/lib/pip.sh"
# shellcheck source=lib/release.sh
. "$here/lib/release.sh"

while [ $# -gt 0 ]; do
  case "$1" in
    --jetpack) needs "$@"; number=$2; shift ;;
    --cpu) cpu=yes ;;
    --gpu-wheel) needs "$@"; gpu_wheel=$(wheel_file "$@"); shift ;;
    --sign) needs "$@"; sign=$(absolute_file "$@"); shift ;;
    --seal) seal=yes ;;
    --help | -h) usage && exit ;;
    -*) unknown "$1" ;;
    *)
      if [ -n "$folder" ]; then
        refuse "只能给出一个目录" "FOLDER: expected one, found two: $folder and $1" "见 --help" "See --help"
      fi
      folder=$1
      ;;
  esac
  shift
done

# What was signed before is not what is there now.
sealed() {
  rm -f "$folder/SHA256SUMS.sig"
  (cd "$folder" && find . ! -type d ! -path ./SHA256SUMS ! -path ./.sums -printf '%P\0' | LC_ALL=C sort -z | xargs -0 sha256sum >.sums)
  mv "$folder/.sums" "$folder/SHA256SUMS"
  [ -n "$sign" ] || return 0
  # openssl asks for the key's passphrase.
  openssl pkeyutl -sign -inkey "$sign" -rawin -in "$folder/SHA256SUMS" -out "$work/signature" || fail "未能签名" \
    "--sign: expected an ed25519 private key in PEM and its passphrase, openssl could not sign with $sign (above)" \
    "见上面 openssl 的输出" "Take a key that appliance bundle key new made; the folder is whole, but not signed"
  mv "$work/signature" "$folder/SHA256SUMS.sig"
  say "已签名" "signed: give whoever installs it the public key, by another way than the folder"
}

if [ -z "$folder" ]; then
  printf '错误：缺少目录 / FOLDER: expected one, found none\n\n' >&2
  usage >&2
  exit 2
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ "$seal" = yes ]; then
  if [ ! -f "$folder/contents" ]; then
    refuse "$folder 不是离线目录" "$folder: expected a folder made by this script, found none" "先制作它" "Make it first"
  fi
  sealed
  say "已写入 SHA256SUMS" "$(wc -l <"$folder/SHA256SUMS") files in SHA256SUMS"
  exit
fi
case "$number" in
  6) release 36.4 ;;
  7) release 39.2 ;;
  *)
    refuse "--jetpack 应为 6 或 7" "--jetpack: expected 6 or 7, found ${number:-none}" \
      "例如 jetson/offline-folder.sh --jetpack 6 FOLDER" "For example: jetson/offline-folder.sh --jetpack 6 FOLDER"
    ;;
esac
if [ -e "$folder" ] && [ ! -f "$folder/contents" ] && [ -n "$(ls -A "$folder")" ]; then
  refuse "$folder 不是空目录" "$folder: expected an empty folder or one that this script made, found another" \
    "请换一个目录" "Name another"
fi
desk=$(python3 -c 'import sys; print("%d%d" % sys.version_info[:2])')
desk_lock=$source/constraints/py$desk.txt
if [ ! -f "$desk_lock" ]; then
  refuse "本机 Python 不合适" "python3: expected 3.10 to 3.12 on this machine, found $(python3 --version)" \
    "请安装其中之一并置于 PATH 最前" "Install one of them, first in PATH"
fi
version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' "$source/appliance/__init__.py")
mkdir -p "$folder"
folder=$(realpath -- "$folder")
printf 'version=%s\njetpack=%s\n' "$version" "$jetpack" >"$folder/contents"
# A mirror and a proxy are this machine's own matter; the lock says which versions, whoever delivers them.
pip_own PIP_CONFIG_FILE PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_FIND_LINKS PIP_TRUSTED_HOST PIP_CERT PIP_PROXY PIP_TIMEOUT PIP_RETRIES

trap 'printf "错误 / failed: %s\n  → 再次运行，已下载的会保留 / run it again: what has come is kept\n" "$BASH_COMMAND" >&2' ERR
# What an earlier version of the lock wanted must not be found by pip on the board.
rm -rf "$folder/wheels.new"
mkdir -p "$folder/wheels" "$folder/wheels.new" "$folder/models"

title "工具" "tools"
python3 -m venv "$work/tools"
"$work/tools/bin/pip" install -q -c "$desk_lock" pip uv

title "依赖 (Python $python, aarch64)" "what the appliance needs"
# uv resolves for the board's Python and processor; pip would evaluate conditions for the desk's.
(cd "$source" && ONNXRUNTIME=cpu "$work/tools/bin/uv" pip compile -q --no-header --no-annotate --python-version "$python" \
  --python-platform aarch64-manylinux_2_28 --no-emit-find-links --no-emit-index-url -c "$whole_lock" setup.py -o "$work/needed.txt")
if [ "$cpu" = no ]; then
  printf '%s\n' "$bindings" | "$work/tools/bin/uv" pip compile -q --no-header --no-annotate --python-version "$python" \
    --python-platform aarch64-manylinux_2_28 --no-emit-find-links --no-emit-index-url - -o "$work/bindings.txt"
  cat "$work/bindings.txt" >>"$work/needed.txt"
  # What onnxruntime-gpu needs is pinned by the lock, too.
  for one in $gpu_needs; do grep -E "^$one==" "$source/$lock" >>"$work/needed.txt"; done
  grep -E '^(humanfriendly|mpmath)==' "$source/$lock" >>"$work/needed.txt" || true
fi
sort -u -o "$work/needed.txt" "$work/needed.txt"
say "$(wc -l <"$work/needed.txt") 个包" "packages"

title "下载轮子" "wheels"
platforms=()
# What a board's glibc takes; pip wants each name. Ubuntu 22.04 has 2.35, and 24.04 takes the same.
for glibc in 2_35 2_34 2_31 2_28 2_27 2_26 2_24 2_17; do platforms+=(--platform "manylinux_${glibc}_aarch64"); done
platforms+=(--platform manylinux2014_aarch64 --platform linux_aarch64)
built=0
while read -r pin; do
  # Already here from a run before: moved, not fetched again.
  if "$work/tools/bin/pip" download -q --no-deps --only-binary=:all: "${platforms[@]}" --python-version "$python" \
    --implementation cp --find-links "$folder/wheels" -d "$folder/wheels.new" "$pin" 2>"$work/said"; then
    continue
  fi
  # As source only: built here, which is right for pure Python alone. A network that fails looks much the same.
  if grep -Eq 'Retrying|Connection|Timeout|timed out' "$work/said" ||
    ! "$work/tools/bin/pip" wheel -q --no-deps --no-binary=:all: -w "$work/built" "$pin" 2>>"$work/said"; then
    tail -n 5 "$work/said" >&2
    fail "$pin 无法取得" "$pin: expected a wheel for aarch64 and Python $python, or a source that builds, found neither" \
      "检查网络后再次运行" "Check the network, then run it again: what has come is kept"
  fi
  for one in "$work"/built/*; do
    if [[ $one == *-none-any.whl ]]; then continue; fi
    fail "$pin 不是纯 Python，无法在此构建" "$pin: expected pure Python to build here, found ${one##*/}" \
      "在同样系统的 aarch64 机器上运行" "Run this on an aarch64 machine with the board's Ubuntu"
  done
  mv "$work"/built/*.whl "$folder/wheels.new/"
  built=$((built + 1))
  say "已构建 $pin" "built from source: $pin"
done <"$work/needed.txt"
# The program itself, without a choice of ONNX Runtime: that is the installer's.
mkdir "$work/source"
for one in setup.py pyproject.toml MANIFEST.in README.md CHANGELOG.md LICENSE appliance models; do cp -R "$source/$one" "$work/source/"; done
ONNXRUNTIME=none "$work/tools/bin/pip" wheel -q --no-deps -w "$folder/wheels.new" "$work/source"
if [ "$cpu" = no ]; then
  if [ -n "$gpu_wheel" ]; then
    cp "$gpu_wheel" "$folder/wheels.new/"
  elif [ -n "$gpu" ]; then
    "$work/tools/bin/pip" download -q --no-deps --only-binary=:all: "${platforms[@]}" --python-version "$python" --implementation cp \
      --index-url "$gpu_index" --find-links "$folder/wheels" -d "$folder/wheels.new" "$gpu" || fail \
      "无法下载 $gpu" "$gpu: expected it at $gpu_index, it could not be had" \
      "检查网络；或 --gpu-wheel FILE；或 --cpu 不带它" "Check the network; or --gpu-wheel FILE; or go without it: --cpu"
  else
    warn "没有已知的 GPU 轮子（JetPack $jetpack）" "no onnxruntime-gpu for JetPack $jetpack is known: TensorRT $tensorrt serves the GPU; --gpu-wheel FILE adds your own"
  fi
fi
rm -rf "$folder/wheels"
mv "$folder/wheels.new" "$folder/wheels"
say "$(find "$folder/wheels" -name '*.whl' | wc -l) 个轮子，其中构建 $built 个" "wheels, $(du -sm "$folder/wheels" | cut -f1) MB"

title "模型" "models"
# The appliance's own `models pull`, in an environment of this machine, gets and verifies them; the wheels that they come
# in are kept. An optional model has addresses of its own, which may not be reachable.
python3 -m venv "$work/appliance"
"$work/appliance/bin/pip" install -q -c "$desk_lock" "$work/source"
"$work/appliance/bin/python" -I - "$folder/models" <<'PYTHON'
import subprocess, sys
from pathlib import Path
from appliance.artifacts.manifest import load_manifests, shipped_root
from appliance.artifacts.sources import Https

for manifest in load_manifests(shipped_root()).values():
    for entry in manifest.files if manifest.install == "optional" else ():
        target = Path(sys.argv[1]) / entry.path
        for source in (one for one in entry.sources if isinstance(one, Https) and not target.exists()):
            print(f"   {manifest.name}: {source.url}", flush=True)
            part = target.with_name(target.name + ".part")
            subprocess.run(["curl", "-fsSL", "--connect-timeout", "10", "-o", part, source.url], check=False)
            if part.exists() and part.stat().st_size == entry.size:
                part.rename(target)
            else:
                part.unlink(missing_ok=True)
                print(f"!! 可选模型未取得 / optional model not to be had: {manifest.name}", flush=True)
PYTHON
APPLIANCE_DATA_DIR=$work/data "$work/appliance/bin/appliance" models pull --from "$folder/models"
cp "$work"/data/models/.cache/wheels/*/*.whl "$folder/models/" 2>/dev/null || true
# As the board will do it: from the folder alone.
rm -rf "$work/data"
APPLIANCE_DATA_DIR=$work/data PIP_NO_INDEX=1 PIP_RETRIES=0 "$work/appliance/bin/appliance" models pull --from "$folder/models" >"$work/pulled"
say "$(du -sm "$folder/models" | cut -f1) MB" "models, installed once from the folder alone"

title "安装程序" "installer"
for one in jetson systemd constraints; do
  rm -rf "${folder:?}/$one"
  cp -R "$source/$one" "$folder/"
done
find "$folder" -name __pycache__ -prune -exec rm -rf {} +
mkdir -p "$folder/debs"
sealed

title "完成" "done"
say "$(wc -l <"$folder/SHA256SUMS") 个文件，共 $(du -sm "$folder" | cut -f1) MB" "$folder"
cat <<TEXT
   系统包：在同一 JetPack（Ubuntu $ubuntu，arm64）且有网络的机器上：
   Debian packages: on a machine with the same JetPack (Ubuntu $ubuntu, arm64) and a network, in $folder/debs:
     apt-get download python3-venv python$python-venv $features
   （连同其依赖）然后重新校验 / with what they depend on, and then seal the folder anew:
     jetson/offline-folder.sh --seal $folder${sign:+ --sign $sign}
   在 Jetson 上 / on the Jetson:
     sudo FOLDER/jetson/install.sh
TEXT
for one in "${warnings[@]}"; do printf '!! %s\n' "$one"; done
