#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Installs the distribution packages that are missing. Usage: setup.sh run|check
set -eu

# What each is for: the build and the daemon (run), and besides these the tests and lint (check).
run="gcc make pkg-config libc6-dev libev-dev libc-ares-dev libconfuse-dev libjson-c-dev
libsodium-dev libncurses-dev libnftables-dev libnftnl-dev libmnl-dev libbpf-dev libelf-dev zlib1g-dev
clang llvm bpftool"
check="clang-format clang-tidy curl git iproute2 libclang-rt-dev libcmocka-dev mandoc netcat-openbsd nftables
openssh-client openssh-server openssl python3 python3-pytest python3-pytest-xdist util-linux wget"

case "${1:-}" in
run) packages=$run ;;
check) packages="$run $check" ;;
*)
	echo "usage: setup.sh run|check" >&2
	exit 2
	;;
esac

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
	echo "hawser: no package manager that this set-up knows (apt-get); please install the" >&2
	echo "equivalents of these Debian packages, then run 'make' and build/hawserd:" >&2
	for p in $packages; do echo "  $p" >&2; done
	exit 1
fi

missing=
for p in $packages; do
	case $(dpkg-query -W -f='${db:Status-Status}' "$p" 2>/dev/null || true) in
	installed*) ;;
	*) missing="$missing $p" ;;
	esac
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ]; then
	echo "hawser: missing packages; as root: apt-get install$missing" >&2
	exit 1
fi
echo "hawser: installing$missing"
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
# shellcheck disable=SC2086 # a list of words
apt-get -qq install --no-install-recommends $missing >/dev/null
