# shellcheck shell=bash
# Looks whether this machine can take the appliance, before anything is changed.

machine_check() {
  title "检查本机" "looking at this machine"
  local uid arch
  uid=$(id -u)
  arch=$(uname -m)
  if [ "$uid" != 0 ] && [ "$dry" = no ]; then
    refuse "需要 root 权限" "user: expected root, found uid $uid" "请用 sudo 运行" "Run it with sudo"
  fi
  if [ "$arch" != aarch64 ]; then
    refuse "本机是 $arch，不是 Jetson" "processor: expected aarch64, found $arch" \
      "PC 上请用 make run；给 Jetson 准备离线目录请用 jetson/offline-folder.sh" \
      "On a PC use make run; to prepare a folder for a Jetson without network use jetson/offline-folder.sh"
  fi
  board_check
  interpreter_check
  memory_check
  disk_check
  time_check
}

board_check() {
  local file=$root/etc/nv_tegra_release l4t_line tree=$root/proc/device-tree model=
  l4t_line=$(head -n 1 "$file" 2>/dev/null || true)
  if [[ ! $l4t_line =~ R([0-9]+)\ \(release\),\ REVISION:\ ([0-9.]+) ]]; then
    refuse "未找到 NVIDIA L4T" "/etc/nv_tegra_release: expected a line '# R36 (release), REVISION: 4.3', found '${l4t_line:-no file}'" \
      "请在刷好 JetPack 的 Jetson 上运行；其他机器请用 make run" \
      "Run it on a Jetson with JetPack; on any other machine use make run"
  fi
  l4t=${BASH_REMATCH[1]}.${BASH_REMATCH[2]}
  if [ -r "$tree/model" ]; then model=$(tr -d '\0' <"$tree/model"); fi
  module=
  if [ -r "$tree/compatible" ]; then
    module=$(tr '\0' '\n' <"$tree/compatible" | grep -Eo 'p[0-9]{4}-[0-9]{4}' | tail -n 1 || true)
  fi
  board=$(board_named "$module")
  release "$l4t"
  if [ -z "$board" ]; then
    board=${model:-unknown}
    warn "不认识的板卡 $board ${module:+（$module）}，继续安装" "unknown board '$board'${module:+ ($module)}: going on"
  elif [ "$jetpack" = 6 ] && [[ $module == p3834-* ]]; then
    warn "Thor 只有 JetPack 7" "a Thor has JetPack 7 only, found L4T R$l4t"
  fi
  say "板卡 $board，L4T R$l4t，JetPack $jetpack" "board ${model:-$board}"
  local found
  found=$(sed -n 's/^VERSION_ID="\?\([0-9.]*\)"\?$/\1/p' "$root/etc/os-release" 2>/dev/null || true)
  if [ -n "$found" ] && [ "$found" != "$ubuntu" ]; then
    refuse "系统版本与 L4T 不符" "Ubuntu: expected $ubuntu, which L4T R$l4t is made of, found $found" \
      "请重新刷写 JetPack" "Flash JetPack again"
  fi
}

interpreter_check() {
  local found='' prefix=''
  read -r found prefix < <(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2], sys.base_prefix)' 2>/dev/null || true) || true
  if [ "$found" != "$python" ]; then
    refuse "python3 版本不对" "python3: expected $python, for which JetPack $jetpack has TensorRT, found ${found:-none}" \
      "请让 python3 指向系统自带的 $python（apt-get install python3）" \
      "Let python3 be the system's own $python again (apt-get install python3, no conda in PATH)"
  fi
  # The same version from pyenv or conda sees no Debian package, and in root's home the service may not even run it.
  if [ "$prefix" != /usr ]; then
    refuse "python3 不是系统自带的" "python3: expected the system's own of /usr, found one of $prefix, which sees no TensorRT" \
      "请把 pyenv 或 conda 从 root 的 PATH 中去掉" "Take pyenv or conda out of root's PATH: sudo env PATH=/usr/sbin:/usr/bin:/sbin:/bin jetson/install.sh"
  fi
}

memory_check() {
  local kb
  kb=$(awk '$1 == "MemTotal:" {print $2}' "$root/proc/meminfo" 2>/dev/null || true)
  say "内存 $((${kb:-0} / 1024)) MB" "memory"
  if [ "${kb:-0}" -lt 3000000 ]; then
    refuse "内存不足" "memory: expected at least 3000 MB, found $((${kb:-0} / 1024)) MB" \
      "请使用 4 GB 以上的板卡" "Use a board with 4 GB or more"
  fi
  if [ "$kb" -lt 6000000 ]; then
    warn "内存较小：编译引擎时请不要打开桌面程序" "little memory: leave no desktop programs open while engines are built"
  fi
}

# Free megabytes and file system of the nearest folder that exists.
free_at() {
  local place=$1
  while [ ! -d "$place" ]; do place=$(dirname "$place"); done
  df -Pm "$place" | awk 'NR == 2 {print $4, $1}'
}

disk_check() {
  local programs=3500 data=2500 free_p free_d disk_p disk_d
  # What is there already is not needed again.
  [ -x "$venv/bin/appliance" ] && programs=500
  [ -d "$root/var/lib/appliance/models" ] && data=500
  read -r free_p disk_p < <(free_at "$root/opt/appliance")
  read -r free_d disk_d < <(free_at "$root/var/lib/appliance")
  if [ "$disk_p" = "$disk_d" ]; then programs=$((programs + data)) data=0; fi
  say "磁盘可用 $free_p MB（/opt），$free_d MB（/var/lib）" "disk"
  if [ "$free_p" -lt "$programs" ] || [ "$free_d" -lt "$data" ]; then
    refuse "磁盘空间不足" "disk: expected $programs MB for /opt and $data MB more for /var/lib, found $free_p and $free_d MB" \
      "请清理磁盘（sudo apt-get clean），或把系统装到 NVMe" "Free some (sudo apt-get clean), or move the system to an NVMe disk"
  fi
}

time_check() {
  local year
  year=$(date +%Y)
  [ "$year" -ge 2025 ] && return
  if [ -n "$offline" ]; then
    warn "系统时间是 $year 年，日志时间将不对" "the clock says $year: times in logs will be wrong"
    return
  fi
  refuse "系统时间是 $year 年，下载的证书校验会失败" "clock: expected 2025 or later, found $year: no certificate would be valid" \
    "请设置时间：sudo timedatectl set-ntp true，或 sudo date -s '2026-12-01 10:00'" \
    "Set it: sudo timedatectl set-ntp true, or sudo date -s '2026-12-01 10:00'"
}
