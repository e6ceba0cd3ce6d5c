#!/bin/sh
# Installs the Debian packages that the project's own commands need and this machine lacks.
# HARDHOST_NO_INSTALL=1 forbids it: then it says what is missing and fails.
set -eu

missing=""

needs() { # needs PACKAGE COMMAND...: the package is missing when the command fails
    package=$1
    shift
    "$@" >/dev/null 2>&1 || missing="$missing $package"
}

has() { command -v "$1"; }

needs python3-venv python3 -c 'import ensurepip, venv'
needs openssh-client has ssh-keygen
needs gcc has gcc
needs gcc-aarch64-linux-gnu has aarch64-linux-gnu-gcc
needs qemu-user-static has qemu-aarch64-static
if [ "${HARDHOST_HOSTS:-}" != no ]; then
    needs mmdebstrap has mmdebstrap
    needs debian-archive-keyring test -e /usr/share/keyrings/debian-archive-keyring.gpg
    needs iproute2 has ip
    needs qemu-system-x86 has qemu-system-x86_64
    needs qemu-utils has qemu-img
    if ! docker info >/dev/null 2>&1; then
        needs docker.io has dockerd
        needs iptables has iptables
    fi
fi

[ -n "$missing" ] || exit 0

if [ "${HARDHOST_NO_INSTALL:-}" = 1 ]; then
    echo "error: missing packages:$missing" >&2
    echo "HARDHOST_NO_INSTALL=1 forbids installing them; install them and try again." >&2
    exit 1
fi
if ! command -v apt-get >/dev/null; then
    echo "error: missing:$missing; they are installed by itself on Debian and its relatives only" >&2
    exit 1
fi
sudo=""
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || { echo "error: missing packages:$missing; run as root" >&2; exit 1; }
    sudo=sudo
fi

echo "Installing packages:$missing"
$sudo apt-get update -q
# shellcheck disable=SC2086 # a list of names
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing
