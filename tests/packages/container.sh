#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# In the root that tests/packages/image.sh has made: builds the image from /src/hawser and a base of /src/base.tar,
# and runs it. Details go to /src/log.
set -eu
# Whatever the kernel has beneath, this needs nothing of it.
export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot

say() {
	echo "check-container: $(date +%T) $*"
}

fail() {
	echo "check-container: $*" >&2
	exit 1
}

podman_() {
	podman --cgroup-manager=cgroupfs "$@"
}

{
	podman_ import /src/base.tar localhost/base
	rm /src/base.tar
} >>/src/log 2>&1
# As another machine may have built it, and newer than all that this one builds.
mkdir -p /src/hawser/build
printf '#!/bin/sh\nexit 1\n' >/src/hawser/build/hawserd
chmod +x /src/hawser/build/hawserd
touch -d tomorrow /src/hawser/build/hawserd
say "buildah build"
buildah build --network host --build-arg BASE=localhost/base -f /src/hawser/container/Containerfile \
	-t localhost/hawser --format docker /src/hawser >>/src/log 2>&1
say "podman run"
podman_ run -d --name hawser --network none --cgroups=disabled --cap-drop all \
	--cap-add NET_ADMIN,NET_RAW,NET_BIND_SERVICE localhost/hawser --socks 127.0.0.1:443 --metrics 127.0.0.1:9180 >>/src/log 2>&1
trap 'podman_ rm -f hawser >>/src/log 2>&1' EXIT
for _ in $(seq 50); do
	podman_ healthcheck run hawser >>/src/log 2>&1 && break
	sleep 0.2
done
podman_ healthcheck run hawser || fail "unhealthy: $(podman_ logs hawser)"
podman_ logs hawser 2>&1 | grep '^capabilities: CAP_NET_ADMIN CAP_NET_BIND_SERVICE' ||
	fail "other capabilities: $(podman_ logs hawser 2>&1)"
# A hello through it, within the container; and its figures.
podman_ exec hawser /usr/bin/python3 -c '
import socket, threading, urllib.request
server = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=lambda: server.accept()[0].sendall(b"hello"), daemon=True).start()
client = socket.create_connection(("127.0.0.1", 443))
client.sendall(b"\5\1\0\5\1\0\1\x7f\0\0\1" + server.getsockname()[1].to_bytes(2, "big"))
with client.makefile("rb") as got:
    assert got.read(17).endswith(b"hello")
with urllib.request.urlopen("http://127.0.0.1:9180/metrics", timeout=20) as figures:
    assert b"\nhawser_sessions_started_total 1\n" in figures.read()
'
podman_ stop -t 20 hawser >>/src/log
[ "$(podman_ inspect -f '{{.State.ExitCode}}' hawser)" = 0 ] || fail "it does not end in order"
say "ok: built, healthy with three capabilities, carried, stopped"
