#!/usr/bin/env bash
# Installs the appliance on a Jetson with JetPack 6 or 7, as docs/service.md does it by hand. It can be run again at any
# time: what is done and still holds is passed over, what was cut off goes on. docs/install-jetson.md says how to use it.
set -Eeuo pipefail
umask 022

usage() {
  cat <<'TEXT'
用法 / usage: sudo jetson/install.sh [选项 / OPTION...]

  --dry-run              只显示将执行的命令 / show the commands, in order, and change nothing
  --yes                  不询问 / ask nothing
  --offline FOLDER       使用离线目录（jetson/offline-folder.sh 制作）/ take wheels and models from FOLDER
  --key FILE             离线目录签名者的公钥 / public key (PEM) of whoever must have signed that folder
  --cpu                  不用 GPU / neither TensorRT nor CUDA: ONNX Runtime on the CPU
  --gpu-wheel FILE       自备的 onnxruntime-gpu / your own onnxruntime-gpu wheel for this board
  --again                重新制作环境 / make the environment anew, for example when a GPU wheel was not to be had
  --kiosk-user NAME      屏幕用户：浏览器和回声消除 / user of the screen: browser and echo cancellation
  --no-echo-cancellation 不设置回声消除 / leave that user's sound server as it is
  --uninstall [--purge]  卸载（--purge 连同设置和数据）/ remove it (--purge: settings and data, too)
  --root DIR             另一系统根目录，供测试 / another root of the system, for tests

Exit codes: 0 done, 1 a step failed (run it again), 2 refused before anything was changed.
TEXT
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source=$(dirname "$here")
root='' dry=no yes=no offline='' key_file='' cpu=no gpu_wheel='' kiosk_user='' echo_cancellation=yes again=no uninstall=no purge=no
# shellcheck source=lib/say.sh
. "$here/lib/say.sh"
# shellcheck source=lib/options.sh
. "$here/lib/options.sh"
# shellcheck source=lib/pip.sh
. "$here/lib/pip.sh"
# shellcheck source=lib/run.sh
. "$here/lib/run.sh"
# shellcheck source=lib/step.sh
. "$here/lib/step.sh"
# shellcheck source=lib/release.sh
. "$here/lib/release.sh"
# shellcheck source=lib/board.sh
. "$here/lib/board.sh"
# shellcheck source=lib/offline.sh
. "$here/lib/offline.sh"
# shellcheck source=lib/system.sh
. "$here/lib/system.sh"
# shellcheck source=lib/environment.sh
. "$here/lib/environment.sh"
# shellcheck source=lib/models.sh
. "$here/lib/models.sh"
# shellcheck source=lib/service.sh
. "$here/lib/service.sh"
# shellcheck source=lib/kiosk.sh
. "$here/lib/kiosk.sh"
# shellcheck source=lib/uninstall.sh
. "$here/lib/uninstall.sh"

while [ $# -gt 0 ]; do
  case "$1" in
    --dry-run) dry=yes ;;
    --yes | -y) yes=yes ;;
    --cpu) cpu=yes ;;
    --again) again=yes ;;
    --no-echo-cancellation) echo_cancellation=no ;;
    --uninstall) uninstall=yes ;;
    --purge) purge=yes ;;
    --offline) needs "$@"; offline=$(absolute "$2"); shift ;;
    --key) needs "$@"; key_file=$(absolute_file "$@"); shift ;;
    --gpu-wheel) needs "$@"; gpu_wheel=$(wheel_file "$@"); shift ;;
    --kiosk-user) needs "$@"; kiosk_user=$2; shift ;;
    --root) needs "$@"; root=$(absolute "$2"); shift ;;
    --help | -h) usage && exit ;;
    *) unknown "$1" ;;
  esac
  shift
done
[ "$root" != / ] || root=''
if [ "$purge" = yes ] && [ "$uninstall" = no ]; then
  refuse "--purge 只与 --uninstall 一起使用" "--purge: expected with --uninstall alone" "见 --help" "See --help"
fi
# A folder made by offline-folder.sh carries this installer, too.
if [ -z "$offline" ] && [ -f "$source/SHA256SUMS" ] && [ -f "$source/contents" ]; then offline=$source; fi
if [ -n "$key_file" ] && [ -z "$offline" ]; then
  refuse "--key 只与离线目录一起使用" "--key: expected with --offline FOLDER, found no folder" "见 --help" "See --help"
fi

state=$root/opt/appliance/.install
pip_own PIP_CERT PIP_PROXY PIP_TIMEOUT PIP_RETRIES PIP_CONFIG_FILE
[ -z "$offline" ] || pip_closed
# Kept until the end: what was cut off need not be fetched again.
export PIP_CACHE_DIR=$state/pip
# Somebody's checkout may be closed to the user that serves.
cd /

# shellcheck disable=SC2329  # by traps
failed() {
  local code=$?
  printf '错误：步骤 %s 失败\nstep %s: expected %s to succeed, it ended with %s\n  → %s\n  → %s\n' "${current:-?}" "${current:-?}" \
    "'$1'" "$code" "按上面的输出处理后再次运行，已完成的步骤会跳过" "See the lines above, then run it again: what is done is passed over" >&2
  exit 1 # whatever the command ended with
}
trap 'failed "$BASH_COMMAND"' ERR
trap resume EXIT

version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' "$source/appliance/__init__.py" 2>/dev/null || true)
if [ -n "$offline" ]; then version=$(sed -n 's/^version=//p' "$offline/contents" 2>/dev/null || true); fi

confirm() {
  if [ "$yes" = yes ] || [ "$dry" = yes ]; then return; fi
  local answer=
  if [ -t 0 ]; then read -rp "$1 / $2 [y/N] " answer; fi
  [[ $answer == [yY]* ]] && return
  refuse "未确认" "expected the answer y, or --yes, found none" "加上 --yes 再运行" "Run it with --yes"
}

# One at a time.
alone() {
  if [ "$dry" = yes ]; then return; fi
  mkdir -p "$root/run/lock"
  exec 9>"$root/run/lock/appliance-install"
  flock -n 9 || refuse "另一个安装程序正在运行" "expected no other installer, found one running" "等待其结束" "Wait until it has ended"
}

if [ "$uninstall" = yes ]; then
  if [ "$(id -u)" != 0 ] && [ "$dry" = no ]; then
    refuse "需要 root 权限" "user: expected root, found uid $(id -u)" "请用 sudo 运行" "Run it with sudo"
  fi
  confirm "卸载？" "uninstall?"
  alone
  uninstall
  exit 0
fi

[ "$dry" = no ] || title "演练：不做任何更改" "dry run: nothing is changed"
venv=$root/opt/appliance/venv
machine_check
offline_check
if [ -z "$version" ]; then
  refuse "$source 不是完整的源码目录" "$source: expected appliance/__init__.py beside jetson/, found none" \
    "请在源码目录或离线目录中运行" "Run it in a checkout or in an offline folder"
fi
kiosk_check
confirm "在此板卡上安装 $version？" "install $version on this board?"
alone
environment_named

steps=12
units_key=$(cd "$source" && find systemd jetson/sound -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -c1-10)
step packages "$l4t-$cpu" "系统包" "Debian packages"
step user "$units_key" "服务用户、组和设备规则" "user, groups and rules for devices"
step settings 1 "设置" "settings"
step environment "$key" "Python 环境" "environment"
step models "$key" "模型" "models"
step kiosk "$kiosk_user" "屏幕" "screen"
step sound "$kiosk_user-$echo_cancellation-$units_key" "回声消除" "echo cancellation"
if ! { recorded engines "$key" && recorded units "$key-$units_key" && recorded switch "$key" && switch_holds; }; then pause; fi
step engines "$key" "TensorRT 引擎" "TensorRT engines"
self_check
step units "$key-$units_key" "systemd 单元" "units"
step switch "$key" "切换到新环境" "change to the new environment"
step power "$key-$units_key" "功率模式" "power mode"
step start "$key-$units_key" "启动服务" "start"
tidy

title "完成" "done"
say "$board，JetPack $jetpack，版本 $version" "ONNX Runtime: $(cat "$venv/onnxruntime" 2>/dev/null || echo '-')"
for one in "${warnings[@]}"; do printf '!! %s\n' "$one"; done
if [ "$dry" = no ]; then
  say "http://127.0.0.1:8080；状态: systemctl status appliance" \
    "settings: $settings_file; check: sudo -u appliance /opt/appliance/venv/bin/appliance check -c $settings_file"
fi
