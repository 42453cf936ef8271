#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Builds hawserd, hawser and the unit tests for other processors and C libraries, without a warning,
# and runs unit tests under qemu. Usage: cross.sh [ARCH…]; their libraries lie in build/cross-roots/.
set -eu
suite=bookworm
tree=$(cd "$(dirname "$0")/.." && pwd)
out=$tree/build/cross
libraries="libev-dev libc-ares-dev libconfuse-dev libjson-c-dev libsodium-dev libmicrohttpd-dev libncurses-dev
libnftables-dev libnftnl-dev libmnl-dev libbpf-dev libelf-dev zlib1g-dev libcmocka-dev"
keys=/usr/share/keyrings/debian-archive-keyring.gpg
failed=

# Debian's name, the compiler's, qemu's, and what is done: run the unit tests, build, or only compile
# what Debian has no libraries of.
targets="armhf arm-linux-gnueabihf arm run
s390x s390x-linux-gnu s390x run
arm64 aarch64-linux-gnu aarch64 build
mipsel mipsel-linux-gnu mipsel build
mips mips-linux-gnu mips compile
riscv64 riscv64-linux-gnu riscv64 compile
musl musl - compile"

say() {
	echo "check-cross: $*"
}

fail() {
	say "$*" >&2
	failed=1
}

# A package manager of its own that knows nothing to be installed: it fetches all that is needed.
make_root() { # ARCH
	root=$tree/build/cross-roots/$1
	[ ! -e "$root/complete" ] || return 0
	rm -rf "$root"
	mkdir -p "$root/apt/lists/partial" "$root/apt/archives/partial"
	: >"$root/apt/status"
	# shellcheck disable=SC2016 # apt replaces them
	apt-get indextargets --format "deb [arch=$1 signed-by=$keys] "'$(REPO_URI) $(CODENAME) $(COMPONENT)' \
		'Created-By: Packages' 'Origin: Debian' | grep " $suite main" | sort -u >"$root/apt/sources.list"
	set -- -qq -o "APT::Architecture=$1" -o "APT::Architectures::=$1" -o "Dir::State=$root/apt" \
		-o "Dir::State::status=$root/apt/status" -o "Dir::Cache=$root/apt" \
		-o "Dir::Etc::sourcelist=$root/apt/sources.list" -o "Dir::Etc::sourceparts=/dev/null" \
		-o APT::Sandbox::User=root -o APT::Install-Recommends=false
	apt-get "$@" update
	# shellcheck disable=SC2086 # a list of words
	apt-get "$@" --download-only install $libraries
	for package in "$root"/apt/archives/*.deb; do dpkg-deb -x "$package" "$root"; done
	rm -rf "$root/apt"
	find "$root/usr/lib" -type l -lname '/*' | while read -r link; do
		ln -sfnr "$root$(readlink "$link")" "$link" # they lead into this machine's root
	done
	: >"$root/complete"
}

build() { # ARCH TRIPLET LINK-TIME, and what make shall make
	arch=$1 triplet=$2 link_time=$3
	shift 3
	PKG_CONFIG_LIBDIR=$root/usr/lib/$triplet/pkgconfig:$root/usr/share/pkgconfig \
		PKG_CONFIG_SYSROOT_DIR=$root \
		make -k -s --no-print-directory -C "$tree" -j"$(nproc)" BUILD="build/cross/$arch" \
		CC="${CCACHE:-} $triplet-gcc" AR="$triplet-gcc-ar" PKG_CONFIG=pkg-config WERROR=-Werror \
		BPF_READY="$tree/build/dist" TOP="${TOP:-1}" BPF="${BPF:-1}" HTTP="${HTTP:-1}" LOCAL="${LOCAL:-0}" \
		CFLAGS="$CFLAGS $link_time -idirafter $root/usr/include -idirafter $root/usr/include/$triplet" \
		LDFLAGS="$link_time --sysroot=$root -L$root/usr/lib/$triplet -L$root/lib/$triplet -Wl,-rpath-link,$root/usr/lib/$triplet:$root/lib/$triplet $LDFLAGS" \
		"$@"
}
# As OpenWrt builds this package by default (rules.mk, include/hardening.mk and package.mk there), so that the
# sizes are its but for the C library and the processor: PIE is for packages that ask for it.
hardened="-fstack-protector -D_FORTIFY_SOURCE=1 -Wformat -Werror=format-security"
CFLAGS=${CFLAGS:--Os -fno-caller-saves -fno-plt -fno-pie $hardened -fno-asynchronous-unwind-tables -ffunction-sections -fdata-sections}
LDFLAGS=${LDFLAGS:--no-pie -Wl,--gc-sections -Wl,-z,now -Wl,-z,relro}

tell_sizes() { # ARCH TRIPLET HOW
	for program in hawserd hawser; do
		"$2-strip" -o "$out/$1/$program.stripped" "$out/$1/$program"
		say "$1: $program: $(($(stat -c %s "$out/$1/$program.stripped") / 1024)) KiB stripped, $3"
	done
}

# The tests put functions of their own in the place of others, which goes object by object only.
LTO='-flto=auto -ffat-lto-objects'
make_both() { # ARCH TRIPLET
	# Nothing of an earlier run with other flags, nor of tests that are gone.
	flags="$CFLAGS $LDFLAGS ${BPF:-1}${TOP:-1}${HTTP:-1}${LOCAL:-0}"
	[ "$(cat "$out/$1/flags" 2>/dev/null)" = "$flags" ] || rm -rf "${out:?}/$1"
	mkdir -p "$out/$1"
	echo "$flags" >"$out/$1/flags"
	rm -rf "$out/$1/unit" "$out/$1/hawserd" "$out/$1/hawser" "$out/$1/libhawser.a"
	build "$1" "$2" "$LTO" all || return
	tell_sizes "$1" "$2" "optimized at link time"
	rm "$out/$1/hawserd" "$out/$1/hawser"
	build "$1" "$2" -fno-lto all || return
	tell_sizes "$1" "$2" "object by object"
	rm "$out/$1/libhawser.a" # of other objects
	LOCAL=1 build "$1" "$2" -fno-lto unit
}

# qemu hands on most options of sockets, and of TCP those that are numbers.
left_out() { # ARCH/TEST
	case "$1" in
	*/config/option_error_test | s390x/config/config_test) echo "TCP_CONGESTION is a word" ;;
	*/upstream/dial_test | */net/mptcp_options_test) echo "IP_TRANSPARENT is not known" ;;
	*/on_event/on_event_test) echo "posix_spawn() does not tell what it could not start" ;;
	*/net/subflow_test | */accel/tcp_position_test) echo "TCP_INFO is more than a number" ;;
	s390x/net/netlink_test) echo "the kind of a new interface is not turned round" ;;
	*) return 1 ;;
	esac
}

# What Debian has no libraries of is compiled against the headers of this machine's, which are the
# same; it is neither linked nor run. musl has no headers of the kernel.
compile() { # ARCH TRIPLET
	headers=$out/$1/headers
	mkdir -p "$headers"
	for name in ares.h ares_build.h ares_dns.h ares_nameser.h ares_rules.h ares_version.h bpf confuse.h \
		curses.h ev.h gelf.h json-c libelf.h libmnl libnftnl microhttpd.h ncurses.h ncurses_dll.h nftables sodium sodium.h unctrl.h \
		zconf.h zlib.h $([ "$1" != musl ] || echo asm asm-generic linux mtd); do
		for from in /usr/include "/usr/include/$(gcc -print-multiarch)"; do
			[ ! -e "$from/$name" ] || ln -sfn "$from/$name" "$headers/$name"
		done
	done
	make -k -s --no-print-directory -C "$tree" -j"$(nproc)" BUILD="build/cross/$1" \
		CC="${CCACHE:-} $2-gcc" PKG_CONFIG=true WERROR=-Werror BPF_READY="$tree/build/dist" \
		CFLAGS="$CFLAGS -idirafter $headers" compile || {
		fail "$1: does not compile"
		return 0
	}
	say "$1: compiled, not linked: there are no libraries of it"
}

run_units() { # ARCH QEMU
	passed=0
	for test in "$out/$1"/unit/*/*_test; do
		name=${test#"$out/$1/unit/"}
		if reason=$(left_out "$1/$name"); then
			say "$1: not run: $name: $reason"
		elif (cd "$tree" && timeout 300 "qemu-$2-static" -L "$root" "$test") >"$test.log" 2>&1; then
			passed=$((passed + 1))
		else
			fail "$1: $name: $(grep -m 1 -E 'ERROR|FAILED|rror' "$test.log" || tail -n 1 "$test.log")"
		fi
	done
	say "$1: $passed unit test programs passed under qemu"
}

one() { # ARCH TRIPLET QEMU HOW
	case "$4" in
	compile) compile "$1" "$2" ;;
	*)
		make_root "$1"
		make_both "$1" "$2" || {
			fail "$1: does not build"
			return 0
		}
		[ "$4" != run ] || run_units "$1" "$3"
		;;
	esac
}

known=$(echo "$targets" | cut -d ' ' -f 1)
for arch; do
	echo "$known" | grep -qxF -e "$arch" || fail "unexpected \"$arch\"; expected some of:" $known
done
[ -z "$failed" ] || exit 1
make -s --no-print-directory -C "$tree" setup-cross
make -s --no-print-directory -C "$tree" ready
while read -r arch triplet qemu how; do
	case " ${*:-$arch} " in
	*" $arch "*) one "$arch" "$triplet" "$qemu" "$how" </dev/null ;;
	esac
done <<EOF
$targets
EOF
[ -z "$failed" ]
