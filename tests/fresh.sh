#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Runs README's two commands on a fresh, minimal Debian 12. It lies in a tmpfs (2 GB) that only the
# processes of one PID namespace see. They end with this script, so nothing is left, however it ends.
# Usage, in the tree: [T=exits] [PYTEST_ARGS=…] fresh.sh; what is not committed is left out.
set -eu
suite=bookworm
tree=$(cd "$(dirname "$0")/.." && pwd)

fail() {
	echo "check-fresh: $*" >&2
	exit 1
}

say() {
	echo "check-fresh: $*"
}

# On this machine.
outside() {
	[ "$(id -u)" = 0 ] || fail "needs root, for namespaces and mounts"
	mkdir -p "$tree/build/fresh"
	# A shell has what it starts in the background ignore these signals; tests send them.
	setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child --mount-proc \
		env --default-signal=INT,QUIT sh "$0" make-root &
	inside=$!
	trap 'kill -KILL $inside 2>/dev/null || true' EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	wait "$inside"
}

# Columns of what apt fetches lists of packages from.
sources() {
	# shellcheck disable=SC2016 # apt replaces them
	apt-get indextargets --format '$(CODENAME) $(COMPONENT) $(REPO_URI) $(SOURCESENTRY)' \
		'Created-By: Packages' 'Origin: Debian' | grep "^${suite}[ -]" || true
}

# Lists of sources, keys, and how apt is told to fetch; hooks of programs that are not there are not
# wanted.
carry_apt() {
	rm -f "$root/etc/apt/sources.list"
	for file in $(sources | sed 's/.* //; s/:[0-9]*$//' | sort -u) /etc/apt/trusted.gpg \
		/etc/apt/trusted.gpg.d /etc/apt/keyrings /etc/apt/auth.conf /etc/apt/auth.conf.d \
		/usr/share/keyrings $(sources | grep -o ' https:' | sed 's|.*|/etc/ssl/certs|;q'); do
		[ -e "$file" ] || continue
		mkdir -p "$root${file%/*}"
		cp -RL "$file" "$root${file%/*}/"
	done
	apt-config dump | grep '^Acquire::' >"$root/etc/apt/apt.conf.d/90host"
}

# In namespaces of its own, as their first process: what it mounts goes with them.
make_root() {
	root=$tree/build/fresh
	mirror=$(sources | sed -n "s/^$suite main \([^ ]*\).*/\1/p;" | sed q)
	[ -n "$mirror" ] || fail "apt of this machine has no list of $suite, main: see" \
		"'apt-get update' and 'apt-get indextargets'"
	mount -t tmpfs -o size=6g,mode=755 tmpfs "$root"
	say "debootstrap $suite"
	eval "$(apt-config shell http_proxy Acquire::http::Proxy https_proxy Acquire::https::Proxy)"
	export http_proxy="${http_proxy:-}" https_proxy="${https_proxy:-}"
	debootstrap --variant=minbase $suite "$root" "$mirror" >"$root/log" 2>&1 ||
		fail "debootstrap: $(tail -n 5 "$root/log")"
	carry_apt
	cat /etc/resolv.conf >"$root/etc/resolv.conf"
	cat /etc/hosts >"$root/etc/hosts"
	git clone -q --depth 1 "file://$tree" "$root/hawser"
	mount --rbind /dev "$root/dev"
	mount -t proc proc "$root/proc"
	mount -t sysfs sysfs "$root/sys"
	mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup" || say "this kernel has no cgroup2"
	cd "$root"
	mkdir outside
	pivot_root . outside
	# As after a login from a machine of another language.
	exec chroot . env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=de_DE.UTF-8 \
		MAKEFLAGS="-j$(nproc)" T="${T:-}" PYTEST_ARGS="${PYTEST_ARGS:-}" \
		sh /hawser/tests/fresh.sh in-root
}

# Perl is in every Debian, curl is not: hello of a server on this host, by SOCKS5 to the port given.
request() {
	perl -MIO::Socket::INET -e '
		my $server = IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1") or die $!;
		unless (fork) { $server->accept->print("hello"); exit }
		my $client = IO::Socket::INET->new("127.0.0.1:$ARGV[0]") or die $!;
		$client->print("\5\1\0\5\1\0\1\x7f\0\0\1", pack("n", $server->sockport));
		local $/;
		die "no hello" if <$client> !~ /hello$/' "$1"
}

# Stops what `make run` started, by its process id, and sees it go.
try_run() {
	# The port that README names may be taken on this machine.
	port=$(perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(Listen => 1)->sockport')
	make run ARGS="--socks 127.0.0.1:$port" >/tmp/run 2>&1 &
	running=$!
	until build/hawser status >/tmp/status 2>&1; do
		kill -0 $running 2>/dev/null || fail "make run: $(cat /tmp/run)"
		sleep 1
	done
	grep 'hawser: installing' /tmp/run || fail "make run does not say what it installs"
	request "$port" || fail "make run: no answer through it: $(cat /tmp/run)"
	build/hawser --json status | grep -q '"total":1\b' || fail "make run: $(build/hawser status)"
	kill -TERM $running
	{ wait $running || true; } 2>/dev/null # the shell says "Terminated"
	! build/hawser status 2>/dev/null || fail "make run: hawserd does not stop"
}

in_root() {
	umount -l /outside
	trap 'exit 1' INT TERM
	export PERL_BADLANG=0 # no complaints of missing locales by what this script runs
	say "apt-get install git make"
	apt-get -qq update
	DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends git make >/dev/null
	cd /hawser
	say "make run"
	try_run
	say "make check"
	{ make check T="$T" PYTEST_ARGS="$PYTEST_ARGS" 2>&1 || echo failed >/tmp/failed; } | tee /tmp/check
	count=$(sed -n 's/^=* *\([0-9].* in [0-9.]*s\).*/\1/p' /tmp/check | tail -n 1)
	say "make run: 1 request answered; make check: ${count:-no test ran}"
	[ ! -e /tmp/failed ]
}

case "${1:-}" in
"") outside ;;
make-root) make_root ;;
in-root) in_root ;;
*) fail "unexpected \"$1\"" ;;
esac
