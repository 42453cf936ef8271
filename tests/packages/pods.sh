#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# In the root that tests/packages/image.sh has made: builds the images of hawserd and of a mesh node from /src/hawser and
# a base of /src/base.tar, and has tests/pods/check.py run them as pods. Details go to /src/log.
set -eu
export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot DEBIAN_FRONTEND=noninteractive

say() {
	echo "check-pods: $(date +%T) $*"
}

# podman's, which are the host's and empty by then.
trap 'find /sys/fs/cgroup/libpod_parent -depth -type d -exec rmdir {} + 2>/dev/null || true' EXIT
{
	apt-get -qq install --no-install-recommends bpftool catatonit python3-yaml runc
	podman --cgroup-manager=cgroupfs import /src/base.tar localhost/base
	rm /src/base.tar
} >>/src/log 2>&1
# Whatever controllers the kernel's control groups have.
mkdir -p /etc/containers
printf '[containers]\npids_limit = 0\n' >/etc/containers/containers.conf
say "buildah build"
cd /src/hawser
buildah build --network host --build-arg BASE=localhost/base -f container/Containerfile -t localhost/hawser \
	--format docker . >>/src/log 2>&1
buildah build --network host --build-arg HAWSER=localhost/hawser -f container/mesh.Containerfile \
	-t localhost/hawser-mesh --format docker container >>/src/log 2>&1
mkdir -p build/testbed
gcc -std=gnu11 -D_GNU_SOURCE -O2 -I. -o build/testbed/emulator testbed/*.c -lm
say "podman kube play"
HAWSER_BUILD=build python3 -B tests/pods/check.py
say "ok: built, played, wired, routed by two daemons, alive, ready, carried, drained"
