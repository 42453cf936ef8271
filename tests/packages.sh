#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The Debian packages on machines of their own: built, looked at by lintian, installed on an exit and on
# a router that have the real systemd as their first process, upgraded under load, purged. All of it
# lies in a tmpfs and in namespaces, and is gone when this script ends, however it ends. Or the container
# image, built by buildah and run by podman.
# Usage, in the tree: [SUITE=bookworm] packages.sh packages|container; what is not committed is left out.
set -eu
suite=${SUITE:-bookworm}
tree=$(cd "$(dirname "$0")/.." && pwd)
top=$tree/build/packages
# Of this run, whose number its parts inherit.
export GROUP="${GROUP:-hawser-packages.$$}"
group=$GROUP

fail() {
	echo "check-packages: $*" >&2
	exit 1
}

say() {
	echo "check-packages: $(date +%T) $*"
}

# On this machine.
outside() {
	[ "$(id -u)" = 0 ] || fail "needs root, for namespaces and mounts"
	unshare --mount sh "$0" sweep
	setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child --mount-proc \
		env --default-signal=INT,QUIT sh "$0" all "$1" &
	inside=$!
	trap 'kill -KILL $inside 2>/dev/null || true; wait $inside 2>/dev/null || true; unshare --mount sh "$0" sweep' EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	wait "$inside"
}

# The control groups of machines, which nothing else ends; also of runs that were killed.
sweep() {
	mkdir -p "$top"
	mount -t cgroup2 cgroup2 "$top" 2>/dev/null || return 0
	for left in "$top/$group" "$top"/hawser-packages.*; do
		[ "$left" = "$top/$group" ] || ! [ -d "/proc/${left##*.}" ] || continue
		for _ in 1 2 3 4 5; do
			[ -d "$left" ] || break
			find "$left" -depth -type d -exec rmdir {} \; 2>/dev/null && break
			sleep 0.2
		done
	done
}

# Columns of what apt fetches lists of packages from.
mirror() {
	# shellcheck disable=SC2016 # apt replaces them
	apt-get indextargets --format '$(COMPONENT) $(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' |
		sed -n 's/^main \([^ ]*\).*/\1/p' | grep -v security | sed q
}

in_root() {
	root=$1
	shift
	chroot "$root" env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C \
		DEBIAN_FRONTEND=noninteractive "$@"
}

# A Debian with what machines need, and one more that builds.
make_roots() {
	from=$(mirror)
	[ -n "$from" ] || fail "apt of this machine has no list of Debian: see 'apt-get update'"
	eval "$(apt-config shell http_proxy Acquire::http::Proxy https_proxy Acquire::https::Proxy)"
	export http_proxy="${http_proxy:-}" https_proxy="${https_proxy:-}"
	say "debootstrap $suite"
	debootstrap --variant=minbase --include=ca-certificates,curl,dbus,iproute2,nftables,procps,python3,systemd-sysv \
		"$suite" "$top/base" "$from" >"$top/log" 2>&1 || fail "debootstrap: $(tail -n 5 "$top/log")"
	cat /etc/resolv.conf >"$top/base/etc/resolv.conf"
	cat /etc/hosts >"$top/base/etc/hosts"
	apt-config dump | grep '^Acquire::' >"$top/base/etc/apt/apt.conf.d/90host" || true
	# Services do not start while it is no machine.
	printf '#!/bin/sh\nexit 101\n' >"$top/base/usr/sbin/policy-rc.d"
	chmod +x "$top/base/usr/sbin/policy-rc.d"
	in_root "$top/base" apt-get -qq update
	cp -a "$top/base" "$top/builder"
	mount --bind "$top/builder" "$top/builder" # podman remounts its root
	mount -t proc proc "$top/builder/proc"
	mount --rbind /dev "$top/builder/dev"
	say "build tools"
	in_root "$top/builder" apt-get -qq install --no-install-recommends build-essential debhelper lintian \
		>>"$top/log" 2>&1 || fail "build tools: $(tail -n 5 "$top/log")"
}

# Version 0.1.0, and one more that differs by its number.
build() {
	src=$top/builder/src/hawser
	mkdir -p "$top/builder/src"
	git -c safe.directory='*' clone -q --depth 1 "file://$tree" "$src"
	rm -rf "$src/.git"
	in_root "$top/builder" sh -c 'cd /src/hawser && apt-get -qq build-dep --no-install-recommends ./' \
		>>"$top/log" 2>&1 || fail "build-dep: $(tail -n 5 "$top/log")"
	say "dpkg-buildpackage"
	in_root "$top/builder" sh -c "cd /src/hawser && DEB_BUILD_OPTIONS=parallel=$(nproc) dpkg-buildpackage -us -uc" \
		>>"$top/log" 2>&1 || fail "build: $(tail -n 15 "$top/log")"
	say "lintian"
	in_root "$top/builder" sh -c 'lintian --allow-root --fail-on error,warning --tag-display-limit 0 /src/*.changes' ||
		fail "lintian complains"
	mkdir "$top/builder/src/old"
	mv "$top"/builder/src/*.deb "$top/builder/src/old/"
	sed -i '1s/(.*)/(0.1.1)/' "$src/debian/changelog"
	# shellcheck disable=SC2046 # names of files
	(cd "$src" && touch $(grep -rl HAWSER_VERSION user))
	in_root "$top/builder" sh -c "cd /src/hawser && DEB_BUILD_OPTIONS=parallel=$(nproc) dpkg-buildpackage -b -nc -us -uc" \
		>>"$top/log" 2>&1 || fail "build: $(tail -n 15 "$top/log")"
}

# What the packages need, without them.
add_depends() {
	depends=$(for deb in "$top"/builder/src/old/hawser_*.deb "$top"/builder/src/old/hawserd_*.deb; do
		dpkg-deb -f "$deb" Depends
	done | sed 's/hawser ([^)]*), *//' | paste -sd, -)
	in_root "$top/base" apt-get -qq satisfy --no-install-recommends "$depends" >>"$top/log" 2>&1 ||
		fail "depends: $(tail -n 5 "$top/log")"
	rm -f "$top/base/usr/sbin/policy-rc.d"
}

# A machine's disk.
make_machine() {
	cp -a "$top/base" "$top/$1"
	echo "$1" >"$top/$1/etc/hostname"
	mkdir -p "$top/$1/debs"
	cp "$top"/builder/src/*.deb "$top"/builder/src/old/*.deb "$top/$1/debs/"
	cp -r "$tree/tests/net/lib" "$top/$1/debs/lib"
	cp "$tree/tests/packages_load.py" "$tree/debian/tests/proxy" "$top/$1/debs/"
}

# In namespaces of its own: becomes the first process of the machine.
become() {
	root=$top/$1
	mount --bind "$root" "$root"
	cd "$root"
	mount -t proc proc proc
	mount -t sysfs sysfs sys
	mount -t cgroup2 cgroup2 sys/fs/cgroup
	mount -t bpf bpf sys/fs/bpf 2>/dev/null || true
	mount -t tmpfs -o mode=755 tmpfs run
	mount -t tmpfs tmpfs tmp
	mount -t tmpfs -o mode=755 tmpfs dev
	for device in null zero full random urandom tty; do
		: >"dev/$device"
		mount --bind "/dev/$device" "dev/$device"
	done
	mkdir dev/shm dev/pts
	mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
	ln -s pts/ptmx dev/ptmx
	hostname "$1"
	mkdir -p .outside
	pivot_root . .outside
	umount -l .outside
	# The kernel's modules are the host's.
	exec env -i container=hawser PATH=/usr/sbin:/usr/bin:/sbin:/bin setpriv --bounding-set=-sys_module \
		/lib/systemd/systemd --log-target=null --show-status=no
}

# Starts a machine, and waits until it is up. $1_pid is its first process.
boot() {
	mkdir -p "$top/cgroup/$group/$1"
	sh -c "echo \$\$ >'$top/cgroup/$group/$1/cgroup.procs'; exec unshare --mount --pid --net --uts --ipc --cgroup \
		--fork --kill-child sh '$0' become $1" >"$top/$1.log" 2>&1 &
	shell=$!
	for _ in $(seq 100); do
		pid=$(cat "/proc/$shell/task/$shell/children" 2>/dev/null || true)
		pid=${pid% }
		[ -n "$pid" ] && [ "$(readlink "/proc/$pid/exe")" = /usr/lib/systemd/systemd ] && break
		kill -0 $shell 2>/dev/null || fail "$1 does not start: $(cat "$top/$1.log")"
		sleep 0.1
	done
	eval "$1_pid=$pid $1_shell=$shell"
	for _ in $(seq 300); do
		case $(on "$1" systemctl is-system-running 2>/dev/null || true) in
		running) return ;;
		degraded) fail "$1: $(on "$1" systemctl --failed --no-pager)" ;;
		esac
		sleep 0.1
	done
	fail "$1 does not come up: $(on "$1" systemctl list-jobs --no-pager 2>&1)"
}

# Runs a command there.
on() {
	name=$1
	shift
	eval "pid=\$${name}_pid"
	nsenter --target "$pid" --all --root --wd -- env -i HOME=/root LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"
}

halt() {
	eval "shell=\$$1_shell pid=\$$1_pid"
	kill -KILL "$pid"
	wait "$shell" 2>/dev/null || true
}

pid_of() {
	eval "echo \$$1_pid"
}

in_net() {
	pid=$(pid_of "$1")
	shift
	nsenter --target "$pid" --net "$@"
}

# MACHINE DEVICE ADDRESS HOST DEVICE ADDRESS. The devices of a machine go with it, a while later.
wire() {
	at=$(pid_of "$1")
	peer_at=$(pid_of "$4")
	in_net "$4" ip link del "$5" 2>/dev/null || true
	ip link add "$2" netns "$at" type veth peer name "$5" netns "$peer_at"
	in_net "$1" ip addr add "$3" dev "$2"
	in_net "$1" ip link set "$2" up
	in_net "$4" ip addr add "$6" dev "$5"
	in_net "$4" ip link set "$5" up
}

# client -- lan router out -- isp -- in exit web -- web; two links would be no other test. Who is no
# client of the exit's does not reach web.
wire_router() {
	wire router out 198.51.100.1/30 isp router 198.51.100.2/30
	in_net router ip route add default via 198.51.100.2
	wire router lan 10.9.0.1/24 client lan 10.9.0.2/24
	in_net client ip route add default via 10.9.0.1
}

wire_exit() {
	wire exit in 198.51.100.6/30 isp exit 198.51.100.5/30
	in_net exit ip route add default via 198.51.100.5
	wire exit web 203.0.113.1/24 web web 203.0.113.2/24
}

# A host that needs no more than a network namespace, and what it runs.
host() {
	name=$1
	shift
	unshare --net sh -c 'ip link set lo up; echo 1 >/proc/sys/net/ipv4/ip_forward; exec chroot "$@"' host "$top/base" "$@" &
	eval "${name}_pid=$!"
	for _ in $(seq 50); do
		[ "$(readlink /proc/$!/ns/net)" != "$(readlink /proc/self/ns/net)" ] && return
		sleep 0.1
	done
}

# What a machine's disk has beside what time changes.
listing() {
	(cd "$top/$1" && find . -xdev \( -path ./var/log -o -path ./var/cache -o -path ./var/lib/dpkg -o -path ./run -o \
		-path ./tmp -o -path ./var/tmp -o -path ./debs -o -path ./var/lib/systemd -o -path ./root -o -path ./dev -o \
		-path ./proc -o -path ./sys -o -name '*.pyc' -o -name __pycache__ -o -name '*-' -o -name .pwd.lock \) \
		-prune -o -print | sort
	cd "$top/$1" && md5sum etc/passwd etc/group etc/nftables.conf)
}

# Through links and interception.
lan_traffic() {
	on router hawser links | grep -q '^wan .* up ' &&
		in_net client chroot "$top/base" /usr/bin/python3 -c 'import socket
with socket.create_connection(("203.0.113.2", 7000), 5) as web:
    web.sendall(b"hello")
    assert web.recv(5) == b"hello"' 2>/dev/null
}

# Until a router's session has gone through the exit, and one of its LAN.
traffic() {
	for _ in $(seq 100); do
		if on router hawser exits | grep -q ' up ' && on router python3 /debs/packages_load.py once && lan_traffic; then
			return
		fi
		sleep 0.2
	done
	fail "no traffic: $(on router hawser exits 2>&1) $(on router hawser links 2>&1) $(on router hawser doctor 2>&1)"
}

load_begins() {
	rm -f "$top/router/debs/stop"
	on router python3 /debs/packages_load.py load >"$top/load" 2>&1 &
	load=$!
	sleep 1
}

load_ends() {
	: >"$top/router/debs/stop"
	wait $load || fail "$1: $(cat "$top/load")"
	say "$1: $(tail -n 1 "$top/load")"
}

restarts_under_load() {
	for machine in exit router; do
		load_begins
		on $machine sh -c 'dpkg -i /debs/hawser_0.1.1_*.deb /debs/hawserd_0.1.1_*.deb' >>"$top/log" 2>&1 ||
			fail "$machine: upgrade: $(tail "$top/log")"
		sleep 1
		load_ends "package upgrade of the $machine"
		on $machine hawser status | grep -q '0\.1\.1' || fail "$machine still runs the old version"
		load_begins
		on $machine systemctl restart hawserd
		sleep 1
		on $machine hawser upgrade
		sleep 1
		load_ends "systemctl restart and hawser upgrade of the $machine"
	done
}

# All of these, one after the other.
boot_again() {
	say "boot again: $*"
	for machine in "$@"; do halt "$machine"; done
	for machine in "$@"; do
		boot "$machine"
		"wire_$machine"
	done
	on exit nft list ruleset | grep -q 'dport 1080 accept' || fail "the port is closed after a boot"
	traffic
}

# What changes by exit-setup beside the files of the package.
host_state() {
	on vps sh -c 'ufw status; nft list ruleset | grep -v "# handle"; sysctl net.mptcp.enabled net.ipv4.tcp_fastopen \
		net.ipv4.tcp_rmem net.ipv4.tcp_wmem; cat /etc/nftables.conf; ls -d /etc/sysctl.d/* /etc/modules-load.d/* \
		/etc/nftables.conf*' | grep -v "counter packets"
}

# The package goes without an undo before.
exam_purge() {
	say "purge of an exit with $1"
	on vps sysctl -qw net.ipv4.tcp_wmem="4096 16384 4194304" net.ipv4.tcp_fastopen=1
	host_state >"$top/vps.before"
	on vps hawser exit-setup --address 192.0.2.9 >"$top/first" || fail "exit-setup with $1: $(cat "$top/first")"
	! host_state | cmp -s - "$top/vps.before" || fail "exit-setup with $1 has done nothing: $(cat "$top/first")"
	on vps dpkg --purge hawserd hawser >>"$top/log" 2>&1 || fail "vps: purge: $(tail "$top/log")"
	host_state | diff "$top/vps.before" - || fail "purge with $1 leaves something"
	! ls -d "$top"/vps/etc/hawser "$top"/vps/var/lib/hawser "$top"/vps/var/log/hawser 2>/dev/null ||
		fail "purge with $1 leaves a directory"
}

# A firewall that lets nobody in.
closed_firewall() {
	printf '%s\n' 'flush ruleset' 'table inet filter { chain input { type filter hook input priority 0; policy drop;' \
		'iif lo accept' 'ct state established,related accept' '}' '}' >"$top/$1/etc/nftables.conf"
}

# With a firewall that is another's: its rule comes, once, and goes.
exam_ufw() {
	say "ufw"
	make_machine vps
	in_root "$top/vps" apt-get -qq install --no-install-recommends ufw >>"$top/log" 2>&1 || fail "ufw: $(tail -n 5 "$top/log")"
	boot vps
	on vps sh -c 'dpkg -i /debs/hawser_0.1.0_*.deb /debs/hawserd_0.1.0_*.deb && ufw --force enable' >>"$top/log" 2>&1 ||
		fail "vps: install: $(tail "$top/log")"
	for time in first second; do
		on vps hawser exit-setup --address 192.0.2.9 >"$top/$time" || fail "exit-setup with ufw: $(cat "$top/$time")"
		on vps ufw status >"$top/ufw"
		[ "$(grep -c '^1080/tcp  *ALLOW  *Anywhere *$' "$top/ufw")" = 1 ] || fail "ufw keeps routers out: $(cat "$top/ufw")"
	done
	grep -q '^  done *firewall *ufw' "$top/first" || fail "exit-setup has not asked ufw: $(cat "$top/first")"
	! grep '^  done' "$top/second" || fail "exit-setup does something again"
	on vps hawser exit-setup --undo >"$top/undo" || fail "undo: $(cat "$top/undo")"
	! on vps ufw status | grep 1080 || fail "ufw's rule is left"
	exam_purge "ufw"
	on vps ufw --force disable >>"$top/log" 2>&1 || fail "ufw: $(tail -n 5 "$top/log")"
	closed_firewall vps
	on vps sh -c 'nft -f /etc/nftables.conf && dpkg -i /debs/hawser_0.1.0_*.deb /debs/hawserd_0.1.0_*.deb' >>"$top/log" 2>&1 ||
		fail "vps: install: $(tail "$top/log")"
	exam_purge "nftables"
	halt vps
}

reaches() {
	in_net client chroot "$top/base" /usr/bin/python3 -c 'import socket
socket.create_connection(("192.0.2.9", 1080), 3)' 2>/dev/null
}

# The real one, whose zones are its owner's: the command that is printed opens the port, now and after a boot.
exam_firewalld() {
	say "firewalld"
	make_machine guard
	in_root "$top/guard" apt-get -qq install --no-install-recommends firewalld >>"$top/log" 2>&1 ||
		fail "firewalld: $(tail -n 5 "$top/log")"
	boot guard
	wire guard wan 192.0.2.9/24 client guard 192.0.2.10/24
	on guard systemctl is-active --quiet firewalld || fail "firewalld: $(on guard journalctl --no-pager -u firewalld)"
	on guard sh -c 'dpkg -i /debs/hawser_0.1.0_*.deb /debs/hawserd_0.1.0_*.deb' >>"$top/log" 2>&1 ||
		fail "guard: install: $(tail "$top/log")"
	on guard hawser exit-setup --address 192.0.2.9 >"$top/first" || fail "exit-setup with firewalld: $(cat "$top/first")"
	grep -q '^  hand *firewall ' "$top/first" || fail "exit-setup has not asked firewalld: $(cat "$top/first")"
	! reaches || fail "firewalld keeps nobody out"
	on guard sh -c "$(grep '^firewall-cmd ' "$top/first")" >>"$top/log" || fail "the command fails: $(cat "$top/first")"
	reaches || fail "firewalld keeps routers out: $(on guard firewall-cmd --list-all)"
	on guard hawser exit-setup >"$top/second" || fail "exit-setup again: $(cat "$top/second")"
	! grep '^  \(hand\|done\)' "$top/second" || fail "exit-setup finds something to do again"
	halt guard
	boot guard
	wire guard wan 192.0.2.9/24 client guard 192.0.2.10/24
	reaches || fail "firewalld keeps routers out after a boot"
	halt guard
}

exam() {
	for machine in exit router; do
		boot $machine
		listing $machine >"$top/$machine.before"
		on $machine sh -c 'dpkg -i /debs/hawser_0.1.0_*.deb /debs/hawserd_0.1.0_*.deb' >>"$top/log" 2>&1 ||
			fail "$machine: install: $(tail "$top/log")"
		on $machine systemctl is-active --quiet hawserd || fail "$machine: $(on $machine journalctl -u hawserd)"
		on $machine systemctl is-enabled --quiet hawserd || fail "$machine: hawserd is not enabled"
	done
	on exit sh /debs/proxy >"$top/proxy" 2>&1 || fail "debian/tests/proxy: $(cat "$top/proxy")"
	wire_exit
	wire_router
	closed_firewall exit
	listing exit | grep nftables.conf >"$top/exit.nftables"
	sed -i '/nftables.conf$/d' "$top/exit.before"
	on exit systemctl -q enable --now nftables >>"$top/log" 2>&1 ||
		fail "nftables: $(on exit systemctl status --no-pager nftables)"
	say "exit-setup"
	on exit hawser exit-setup --name vps >"$top/first" || fail "exit-setup: $(cat "$top/first")"
	on exit sh -c 'cat /etc/hawser/* /etc/sysctl.d/60-hawser* /etc/nftables.conf | md5sum' >"$top/state1"
	on exit hawser exit-setup --name vps >"$top/second" || fail "exit-setup again: $(cat "$top/second")"
	on exit sh -c 'cat /etc/hawser/* /etc/sysctl.d/60-hawser* /etc/nftables.conf | md5sum' >"$top/state2"
	cmp "$top/state1" "$top/state2" || fail "exit-setup changes something when run twice"
	! grep '^  done' "$top/second" || fail "exit-setup does something again"
	line=$(tail -n 1 "$top/first")
	[ "$line" = "$(tail -n 1 "$top/second")" ] || fail "exit-setup prints another line: $(cat "$top/second")"
	say "exit-add"
	printf '%s\n' 'link "wan" { device = "out" }' 'intercept { up = yes  lan = { "lan" } }' \
		'listen "own" { address = "127.0.0.1:1080" }' 'listen "lan" { address = "127.0.0.1:1090"  transparent = on }' \
		'access { allow = { "127.0.0.0/8", "10.9.0.0/24" } }' >"$top/router/etc/hawser/hawser.conf"
	on router systemctl restart hawserd
	# shellcheck disable=SC2086 # as a shell has it
	on router $line || fail "exit-add"
	traffic
	restarts_under_load
	boot_again exit
	boot_again router
	boot_again exit router
	boot_again router exit
	say "purge"
	on exit hawser exit-setup --undo >"$top/undo" || fail "undo: $(cat "$top/undo")"
	for machine in exit router; do
		on $machine dpkg --purge hawserd hawser >>"$top/log" 2>&1 || fail "$machine: purge: $(tail "$top/log")"
		listing $machine >"$top/$machine.after"
	done
	sed -i '/nftables.conf$/d; /multi-user.target.wants.nftables\|sysinit.target.wants.nftables/d' "$top/exit.after"
	listing exit | grep 'nftables.conf$' | cmp - "$top/exit.nftables" || fail "nftables.conf is not as it was"
	for machine in exit router; do
		diff "$top/$machine.before" "$top/$machine.after" || fail "$machine: something is left"
		! on $machine pgrep hawserd || fail "$machine: hawserd still runs"
	done
	! on exit nft list ruleset | grep 1080 || fail "the firewall's rule is left"
}

# Stages of an image may not keep what they need from each other: all of it comes from base and tree.
container() {
	say "podman and buildah"
	in_root "$top/builder" apt-get -qq install --no-install-recommends buildah podman crun >>"$top/log" 2>&1 ||
		fail "podman: $(tail -n 5 "$top/log")"
	mount -t sysfs sysfs "$top/builder/sys"
	mount -t cgroup2 cgroup2 "$top/builder/sys/fs/cgroup"
	mount -t tmpfs tmpfs "$top/builder/run"
	mkdir -p "$top/builder/src" "$top/builder/var/lib/containers"
	git -c safe.directory='*' clone -q --depth 1 "file://$tree" "$top/builder/src/hawser"
	tar -C "$top/base" -cf "$top/builder/src/base.tar" .
	cp "$tree/tests/container.sh" "$top/builder/src/"
	# With a root that is one: who enters the container must not find another.
	unshare --mount sh "$0" enter builder sh /src/container.sh || fail "the container: $(tail -n 15 "$top/builder/src/log")"
}

# In a mount namespace of its own: runs a command with that root as the only one.
enter() {
	cd "$top/$1"
	shift
	mkdir -p .outside
	pivot_root . .outside
	umount -l .outside
	exec chroot . env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C "$@"
}

packages() {
	build
	printf '%s\n' 'import socketserver' 'class E(socketserver.BaseRequestHandler):' '    def handle(self):' \
		'        while data := self.request.recv(65536): self.request.sendall(data)' \
		'class S(socketserver.ThreadingTCPServer):' '    allow_reuse_address = daemon_threads = True' \
		'    request_queue_size = 1024' \
		'S(("0.0.0.0", 7000), E).serve_forever()' >"$top/base/echo.py"
	add_depends
	for machine in exit router; do make_machine $machine; done
	host web /usr/bin/python3 /echo.py
	host isp sleep infinity
	host client sleep infinity
	exam
	exam_ufw
	exam_firewalld
	say "ok: built, clean, installed, set up twice, carried, upgraded under load, booted, purged"
}

all() {
	mount -t tmpfs -o size=10g,mode=755 tmpfs "$top"
	mkdir "$top/cgroup"
	mount -t cgroup2 cgroup2 "$top/cgroup" || fail "this kernel has no cgroup2"
	trap 'exit 1' INT TERM
	make_roots
	"$1"
}

case "${1:-}" in
packages | container) outside "$1" ;;
all) all "$2" ;;
become) become "$2" ;;
enter)
	shift
	enter "$@"
	;;
sweep) sweep ;;
*) fail "unexpected \"$1\"" ;;
esac
