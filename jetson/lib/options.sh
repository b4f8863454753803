# shellcheck shell=bash
# What both scripts do with their options: a value that is not there, or is the next option, is refused, never guessed.

# needs OPTION [REST...]: there is a value after it.
needs() {
  if [ -z "${2:-}" ]; then refuse "$1 需要一个值" "$1: expected a value, found none" "见 --help" "See --help"; fi
  if [[ $2 == -* ]]; then
    refuse "$1 需要一个值" "$1: expected a value, found the option $2" "见 --help（文件名以 - 开头时写 ./）" \
      "See --help (a name that begins with - is written ./-...)"
  fi
}

# absolute PATH: where it really lies; refused when it is not there.
absolute() {
  [ -e "$1" ] || refuse "$1 不存在" "$1: expected a file or folder, found none" "请检查路径" "Check the path"
  realpath -- "$1"
}

# absolute_file OPTION PATH: the same, and it is a file.
absolute_file() {
  [ -f "$2" ] || refuse "$1：$2 不是文件" "$1: expected a file, found none at $2" "请检查路径" "Check the path"
  realpath -- "$2"
}

# wheel_file OPTION PATH: the same, and pip will take it for a wheel of ONNX Runtime for the GPU.
wheel_file() {
  local found
  found=$(absolute_file "$1" "$2") || exit
  [[ ${found##*/} == onnxruntime_gpu-*.whl ]] || refuse "$1：$2 不是 onnxruntime-gpu 的轮子" \
    "$1: expected onnxruntime_gpu-VERSION-...whl, found ${found##*/}" "请保留轮子原来的文件名" "Keep the name that the wheel was made with"
  printf '%s\n' "$found"
}

# unknown WORD: neither an option nor what a value is wanted for.
unknown() {
  printf '错误：不认识 %s / %s: expected an option of those below\n\n' "$1" "$1" >&2
  usage >&2
  exit 2
}
