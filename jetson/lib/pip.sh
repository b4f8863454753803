# shellcheck shell=bash
# What surrounds the caller (ROS sets PYTHONPATH, some shells PIP_USER, an administrator /etc/pip.conf) must not choose
# what comes into the environment made here.

# pip_own [NAME...]: forgets every PIP_* and PYTHON* variable but these. Where packages come over a network, pip's own
# configuration files still count: a company's mirror, proxy and certificates stand there.
pip_own() {
  local one
  for one in $(compgen -e); do
    case "$one" in
      PIP_* | PYTHON*) [[ " $* " == *" $one "* ]] || unset "$one" ;;
    esac
  done
  export PYTHONNOUSERSITE=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
}

# pip_closed: without a network nothing but the folder counts. `pip --isolated` alone would not do: it still reads
# /etc/pip.conf, and each call would have to carry it, those of `models pull` too; this reaches whatever is started here.
pip_closed() {
  local one
  export PIP_CONFIG_FILE=/dev/null PIP_NO_INDEX=1
  for one in http_proxy https_proxy ftp_proxy all_proxy no_proxy; do unset "$one" "${one^^}"; done
}
