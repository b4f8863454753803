# shellcheck shell=bash
# A folder made by offline-folder.sh: it is for this version and JetPack, and every file in it is the one that was put there.

offline_check() {
  [ -n "$offline" ] || return 0
  title "校验离线目录" "verifying the offline folder"
  if [ ! -f "$offline/SHA256SUMS" ] || [ ! -f "$offline/contents" ]; then
    refuse "$offline 不是离线目录" "$offline: expected SHA256SUMS and contents, found none" \
      "请在有网络的电脑上运行 jetson/offline-folder.sh 制作" "Make it by jetson/offline-folder.sh on a machine with network"
  fi
  signature_check
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
  wrong=$(cd "$offline" && comm -13 <(cut -c67- SHA256SUMS | sort) <(find . ! -type d ! -path ./SHA256SUMS ! -path ./SHA256SUMS.sig -printf '%P\n' | sort))
  if [ -n "$wrong" ]; then
    refuse "离线目录中有来历不明的文件" "$offline: expected no file beside those of SHA256SUMS, found: $(head -n 3 <<<"$wrong" | tr '\n' ' ')" \
      "请删除它们；若是自己加入的（例如 debs/）：offline-folder.sh --seal $offline" \
      "Delete them; if you added them (debs/, say): offline-folder.sh --seal $offline"
  fi
  say "$(wc -l <"$offline/SHA256SUMS") 个文件完好" "every file is whole"
}

# With --key somebody has to have signed the list of sums: then no file can be another without this being seen. It is
# looked at with a key and an installer that did not come with the folder.
signature_check() {
  if [ -z "$key_file" ]; then
    say "未给出 --key：校验和只能发现损坏，不能发现伪造" \
      "without --key the sums find damage only, not somebody who changed the folder and the sums"
    return
  fi
  if [ "$source" -ef "$offline" ]; then
    refuse "安装程序来自该目录本身，不能用来校验其签名" \
      "--key: expected an installer from elsewhere, found the folder's own, which whoever forged the folder wrote" \
      "请在源码目录中运行：jetson/install.sh --offline $offline --key FILE" \
      "Run that of a checkout: jetson/install.sh --offline $offline --key FILE; or by hand, as docs/install-jetson.md says"
  fi
  if [ ! -f "$offline/SHA256SUMS.sig" ]; then
    refuse "该目录没有签名" "$offline: expected SHA256SUMS.sig, which --key asks for, found none" \
      "请签名：jetson/offline-folder.sh --seal FOLDER --sign KEY" "Have it signed: jetson/offline-folder.sh --seal FOLDER --sign KEY"
  fi
  if ! command -v openssl >/dev/null; then
    refuse "没有 openssl" "--key: expected openssl on this board, found none" "sudo apt-get install openssl" "sudo apt-get install openssl"
  fi
  if ! openssl pkey -pubin -in "$key_file" -noout -text 2>/dev/null | grep -qi '^ED25519'; then
    refuse "$key_file 不是 ed25519 公钥" "$key_file: expected an ed25519 public key in PEM, found another file" \
      "请使用 appliance bundle key new 生成的 .pub 文件" "Take the .pub file that appliance bundle key new made"
  fi
  if ! openssl pkeyutl -verify -pubin -inkey "$key_file" -rawin -in "$offline/SHA256SUMS" \
    -sigfile "$offline/SHA256SUMS.sig" >/dev/null 2>&1; then
    refuse "离线目录的签名不符" "$offline: expected SHA256SUMS signed by $key_file, found another's signature or other sums" \
      "不要使用该目录，请向制作者索取" "Do not use this folder; ask whoever made it"
  fi
  say "签名有效" "signed by the key of $key_file"
}
