# SPDX-License-Identifier: GPL-2.0-or-later
# Part of tests/packages.sh: machines, which are roots in namespaces and a control group of their own, and
# wires between them.

# A machine's disk.
make_machine() {
	cp -a "$top/base" "$top/$1"
	echo "$1" >"$top/$1/etc/hostname"
	mkdir -p "$top/$1/debs"
	cp "$top"/builder/src/*.deb "$top"/builder/src/old/*.deb "$top/$1/debs/"
	cp -r "$tree/tests/net/lib" "$top/$1/debs/lib"
	cp "$tree/tests/packages/load.py" "$tree/debian/tests/proxy" "$tree/debian/tests/exit" "$top/$1/debs/"
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

# MACHINE VERSION
install_packages() {
	on "$1" sh -c "dpkg -i /debs/hawser_$2_*.deb /debs/hawserd_$2_*.deb" >"$top/dpkg" 2>&1 ||
		fail "$1: installation of $2: $(cat "$top/dpkg")"
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

# Tries a command for 20 s; its output goes nowhere.
comes_true() {
	for _ in $(seq 100); do
		"$@" >/dev/null 2>&1 && return
		sleep 0.2
	done
	return 1
}
