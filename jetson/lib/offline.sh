# shellcheck shell=bash
# A folder made by offline-folder.sh: it is for this version and JetPack, and every file in it is the one that was put there.

offline_check() {
  [ -n "$offline" ] || return 0
  title "校验离线目录" "verifying the offline folder"
  if [ ! -f "$offline/SHA256SUMS" ] || [ ! -f "$offline/contents" ]; then
    refuse "$offline 不是离线目录" "$offline: expected SHA256SUMS and contents, found none" \
      "请在有网络的电脑上运行 jetson/offline-folder.sh 制作" "Make it by jetson/offline-folder.sh on a machine with network"
  fi
  local made_for=
  made_for=$(sed -n 's/^jetpack=//p' "$offline/contents")
  if [ "$made_for" != "$jetpack" ]; then
    refuse "该目录用于 JetPack $made_for" "$offline: expected a folder for JetPack $jetpack, found one for JetPack $made_for" \
      "请重新制作：jetson/offline-folder.sh --jetpack $jetpack" "Make one: jetson/offline-folder.sh --jetpack $jetpack"
  fi
  if ! same "$source/$lock" "$offline/$lock"; then
    refuse "该目录由另一版本制作" "$offline: expected the versions of $lock here, found others: another version made it" \
      "请使用目录自带的安装程序：sudo $offline/jetson/install.sh" "Use the folder's own installer: sudo $offline/jetson/install.sh"
  fi
  local wrong
  if ! wrong=$(cd "$offline" && sha256sum --check --quiet --strict SHA256SUMS 2>&1); then
    refuse "离线目录中的文件已损坏" "$offline: expected the files of SHA256SUMS, found: $(head -n 3 <<<"$wrong" | tr '\n' ' ')" \
      "请重新复制该目录" "Copy the folder again; nothing of it has been used"
  fi
  # pip and `models pull` take what they find: what nobody vouches for must not lie there, not as a link either.
  wrong=$(cd "$offline" && comm -13 <(cut -c67- SHA256SUMS | sort) <(find . ! -type d ! -path ./SHA256SUMS -printf '%P\n' | sort))
  if [ -n "$wrong" ]; then
    refuse "离线目录中有来历不明的文件" "$offline: expected no file beside those of SHA256SUMS, found: $(head -n 3 <<<"$wrong" | tr '\n' ' ')" \
      "请删除它们；若是自己加入的（例如 debs/）：offline-folder.sh --seal $offline" \
      "Delete them; if you added them (debs/, say): offline-folder.sh --seal $offline"
  fi
  say "$(wc -l <"$offline/SHA256SUMS") 个文件完好" "every file is whole"
}
