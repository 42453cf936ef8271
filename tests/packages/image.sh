# SPDX-License-Identifier: GPL-2.0-or-later
# Part of tests/packages.sh: container images, built and run in the builder's root.

# Stages of an image may not keep what they need from each other: all of it comes from base and tree.
# container.sh or pods.sh does it there.
run_images() {
	say "podman and buildah"
	apt_in "$top/builder" podman install --no-install-recommends buildah podman crun
	mount -t sysfs sysfs "$top/builder/sys"
	mount -t cgroup2 cgroup2 "$top/builder/sys/fs/cgroup"
	mount -t tmpfs tmpfs "$top/builder/run"
	mkdir -p "$top/builder/src" "$top/builder/var/lib/containers"
	git -c safe.directory='*' -c advice.detachedHead=false clone -q --depth 1 "file://$tree" "$top/builder/src/hawser"
	tar -C "$top/base" -cf "$top/builder/src/base.tar" .
	cp "$tree/tests/packages/$1.sh" "$top/builder/src/"
	# With a root that is one: who enters the container must not find another.
	unshare --mount sh "$0" enter builder sh "/src/$1.sh" || fail "$1: $(tail -n 15 "$top/builder/src/log")"
}

container() {
	run_images container
}

pods() {
	run_images pods
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
