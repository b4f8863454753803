# shellcheck shell=bash
# What each JetPack brings, as published (none of it was run here): README.md has it as a table.

# Debian packages that the features need, on either; the same as `.ci/system run`.
features='libportaudio2 libasound2-plugins tesseract-ocr tesseract-ocr-chi-sim espeak-ng fonts-wqy-microhei'

# The boards, by the module's number in the device tree; appliance/device/board.py knows the same.
board_named() {
  case "$1" in
    p3767-0000) echo "Jetson Orin NX 16GB" ;;
    p3767-0001) echo "Jetson Orin NX 8GB" ;;
    p3767-0003) echo "Jetson Orin Nano 8GB" ;;
    p3767-0004) echo "Jetson Orin Nano 4GB" ;;
    p3767-0005) echo "Jetson Orin Nano 8GB Developer Kit" ;;
    p3701-*) echo "Jetson AGX Orin" ;;
    p3834-*) echo "Jetson AGX Thor" ;;
  esac
}

# release L4T: sets what follows from a release such as 36.4.3.
release() {
  local major=${1%%.*} minor=${1#*.}
  minor=${minor%%.*}
  case "$major" in
    36)
      jetpack=6 ubuntu=22.04 python=3.10 tensorrt=10.3
      lock=jetson/constraints-jetpack6.txt whole_lock=constraints/py310.txt
      bindings='cuda-bindings==12.9.10'
      # The CPU wheels of Python 3.10 end with 1.23.2; this is the newest that was seen for JetPack 6.
      gpu='onnxruntime-gpu==1.23.0' gpu_index=https://pypi.jetson-ai-lab.io/jp6/cu126
      gpu_needs='coloredlogs flatbuffers numpy packaging protobuf sympy'
      if [ "$minor" -lt 4 ] && [ "$cpu" = no ]; then
        refuse "L4T R$1 是 JetPack 6.0，带有 TensorRT 8.6" "L4T: expected R36.4 or later (JetPack 6.1, TensorRT 10.3), found R$1" \
          "请按 NVIDIA 的说明升级到 JetPack 6.2；或只用 CPU：--cpu" \
          "Upgrade to JetPack 6.2, as NVIDIA's documentation says; or serve with the CPU alone: --cpu"
      fi
      ;;
    38 | 39)
      jetpack=7 ubuntu=24.04 python=3.12 tensorrt=10.16
      lock=jetson/constraints-jetpack7.txt whole_lock=constraints/py312.txt
      bindings='cuda-bindings==13.5.0'
      # No public index has a wheel for Orin's GPU here; the one below is built for servers and, perhaps, Thor's.
      gpu='' gpu_index=''
      gpu_needs='flatbuffers numpy packaging protobuf'
      if [[ ${module:-} == p3834-* ]]; then gpu='onnxruntime-gpu' gpu_index=https://pypi.jetson-ai-lab.io/sbsa/cu130; fi
      if [ "$major" = 38 ]; then
        tensorrt=10.13
        warn "L4T R$1 是 JetPack 7.0/7.1；本安装程序以 7.2 为准" "L4T R$1 is JetPack 7.0 or 7.1; this installer is meant for 7.2"
      fi
      ;;
    32 | 34 | 35)
      refuse "L4T R$1 属于 JetPack $([ "$major" = 32 ] && echo 4 || echo 5)，其 Python 和 glibc 过旧" \
        "JetPack: expected 6.1 or later, found L4T R$1: its Python (3.8 or older) and glibc (2.31 or older) are too old" \
        "Orin 请刷写 JetPack 6.2 或 7.2；Xavier、TX2、Nano 不受支持" \
        "Flash JetPack 6.2 or 7.2 on an Orin; Xavier, TX2 and Nano have none and are not supported"
      ;;
    *)
      refuse "不认识的 L4T R$1" "L4T: expected R36 (JetPack 6) or R39 (JetPack 7.2), found R$1" \
        "请使用 JetPack 6.2 或 7.2，或更新本软件" "Use JetPack 6.2 or 7.2, or a newer version of this software"
      ;;
  esac
}
