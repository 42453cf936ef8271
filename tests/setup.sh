#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Installs the distribution packages that are missing. Usage: setup.sh run|check|lint|bench|cross|fresh|kernels|mesh|packages
set -eu
# A minimal system has no other locale, and su(1) leaves out the directories that dpkg needs.
export LC_ALL=C PATH="$PATH:/usr/sbin:/sbin"

# What each is for: the build and the daemon (run); besides these the tests (check), and `make lint` (lint); `make
# check-cross` (cross), `make check-fresh` (fresh), `make check-packages`, `check-container` and
# `check-pods` (packages); besides run and check, `make bench` (bench), `make check-kernels` (kernels)
# and `make mesh` (mesh).
run="gcc make pkg-config libc6-dev libev-dev libc-ares-dev libconfuse-dev libjson-c-dev
libsodium-dev libmicrohttpd-dev libncurses-dev libnftables-dev libnftnl-dev libmnl-dev libbpf-dev libelf-dev zlib1g-dev
clang llvm bpftool"
check="busybox-static chromium clang-format clang-tidy curl git iproute2 libclang-rt-dev libcmocka-dev locales mandoc mujs
netcat-openbsd nftables openssh-client openssh-server openssl prometheus python3 python3-kubernetes python3-pytest
python3-pytest-timeout python3-pytest-xdist python3-requests python3-yaml systemd util-linux wget"
lint="eslint"
cross="gcc-aarch64-linux-gnu gcc-arm-linux-gnueabihf gcc-mips-linux-gnu gcc-mipsel-linux-gnu
gcc-riscv64-linux-gnu gcc-s390x-linux-gnu libc6-dev-arm64-cross libc6-dev-armhf-cross
libc6-dev-mips-cross libc6-dev-mipsel-cross libc6-dev-riscv64-cross libc6-dev-s390x-cross musl-tools
qemu-user-static"
fresh="debootstrap git util-linux"
packages="$fresh iproute2"
mesh="babeld bird2 frr"
bench="dante-server haproxy libnginx-mod-stream microsocks mptcpize nginx-light redsocks socat"
kernels="cpio e2fsprogs kmod procps qemu-system-x86 xz-utils zstd"

case "${1:-}" in
run) packages=$run ;;
check) packages="$run $check" ;;
lint) packages="$run $check $lint" ;;
bench) packages="$run $check $bench" ;;
cross) packages="$run $cross" ;;
fresh) packages=$fresh ;;
kernels) packages="$run $check $kernels" ;;
mesh) packages="$run $check $mesh" ;;
packages) ;;
*)
	echo "usage: setup.sh run|check|lint|bench|cross|fresh|kernels|mesh|packages" >&2
	exit 2
	;;
esac

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
	echo "hawser: no package manager that this set-up knows (apt-get); please install the" >&2
	echo "equivalents of these Debian packages, then run 'make' and build/hawserd:" >&2
	for p in $packages; do echo "  $p" >&2; done
	exit 1
fi

# shellcheck disable=SC2086 # a list of words
there=$(dpkg-query -W -f='${Package}=${db:Status-Status} ' $packages 2>/dev/null || true)
missing=
for p in $packages; do
	case " $there" in
	*" $p=installed "*) ;;
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
# Servers among them, as Prometheus and routing daemons, must not start on this host.
if [ ! -e /usr/sbin/policy-rc.d ]; then
	trap 'rm -f /usr/sbin/policy-rc.d' EXIT
	trap 'exit 130' INT TERM HUP
	printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
	chmod 755 /usr/sbin/policy-rc.d
fi
# shellcheck disable=SC2086 # a list of words
apt-get -qq install --no-install-recommends $missing >/dev/null
