#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The Debian packages on machines of their own: built, looked at by lintian, installed on an exit and on
# a router that have the real systemd as their first process, upgraded under load, purged. All of it
# lies in a tmpfs and in namespaces, and is gone when this script ends, however it ends. Or the container
# image, built by buildah and run by podman; or that and a mesh node's, run as pods.
# Usage, in the tree: [SUITE=bookworm] packages.sh packages|container|pods; what is not committed is left out.
set -eu
suite=${SUITE:-bookworm}
tree=$(cd "$(dirname "$0")/.." && pwd)
top=$tree/build/packages
# Of this run, whose number its parts inherit.
export GROUP="${GROUP:-hawser-packages.$$}"
group=$GROUP

# container.sh and pods.sh run in the root that builds.
for part in "$tree"/tests/packages/*.sh; do
	case $part in
	*/container.sh | */pods.sh) ;;
	*)
		# shellcheck source=/dev/null
		. "$part"
		;;
	esac
done

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
			find "$left" -depth -type d -exec rmdir {} + 2>/dev/null && break
			sleep 0.2
		done
	done
}

packages() {
	build
	make_hosts
	add_depends
	for machine in exit router; do make_machine $machine; done
	exam_exit
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
packages | container | pods) outside "$1" ;;
all) all "$2" ;;
become) become "$2" ;;
enter)
	shift
	enter "$@"
	;;
sweep) sweep ;;
*) fail "unexpected \"$1\"" ;;
esac
