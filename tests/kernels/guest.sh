#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The first process of a virtual machine: runs tests, and tells check.py outside of each.
. /run/hawser-check/parameters
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 HAWSER_BUILD=$BUILD \
	HAWSER_PATIENCE=$PATIENCE PYTEST_TIMEOUT=400 HAWSER_EXIT_S=300 PYTHONPATH=$TREE/tests/kernels:$TREE/testbed PYTHONDONTWRITEBYTECODE=1

mkdir -p /dev/shm /dev/pts
mount -t tmpfs shm /dev/shm
mount -t devpts devpts /dev/pts
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t bpf bpf /sys/fs/bpf
ln -s /proc/self/fd /dev/fd
for module in $MODULES; do modprobe -q "$module"; done
hostname guest
ip link set lo up
ulimit -n 1048576

# An emulated processor now and then trips over code that the kernel changes under it, as it does for
# the first hook of a kind and after the last: so there is always one.
keep_hooks() {
	ip link add keep type dummy
	ip link set keep up
	tc qdisc add dev keep clsact
	for family in ip ip6 inet; do
		for hook in prerouting input forward output postrouting; do
			nft "add table $family keep; add chain $family keep $hook {
				type filter hook $hook priority 0; }"
		done
	done
	for hook in ingress egress; do
		nft "add table netdev keep; add chain netdev keep $hook {
			type filter hook $hook device keep priority 0; }"
	done
}
keep_hooks 2>/dev/null

cd "$TREE" || exit
[ -d /proc/sys/net/mptcp ] || KEYWORDS=$WITHOUT_MPTCP
report=(/dev/vport*p1)
exec 3>"${report[0]}"
HAWSER_REPORT_FD=3 python3 -B -m pytest -p no:cacheprovider -p report -k "$KEYWORDS" $SELECTION >/dev/ttyS0 2>&1
exec 3>&-
sync
echo o >/proc/sysrq-trigger
sleep 60
