# SPDX-License-Identifier: GPL-2.0-or-later
# Part of tests/packages.sh: the Debian roots, and the packages built in one of them.

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

# ROOT WHAT WORDS: installs packages there.
apt_in() {
	root=$1
	what=$2
	shift 2
	in_root "$root" apt-get -qq "$@" >>"$top/log" 2>&1 || fail "$what: $(tail -n 5 "$top/log")"
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
	apt_in "$top/base" "lists of packages" update
	cp -a "$top/base" "$top/builder"
	mount --bind "$top/builder" "$top/builder" # podman remounts its root
	mount -t proc proc "$top/builder/proc"
	mount --rbind /dev "$top/builder/dev"
	say "build tools"
	apt_in "$top/builder" "build tools" install --no-install-recommends build-essential debhelper lintian
}

# In the tree of the builder; words: those of dpkg-buildpackage.
build_packages() {
	in_root "$top/builder" sh -c "cd /src/hawser && DEB_BUILD_OPTIONS=parallel=$(nproc) dpkg-buildpackage $*" \
		>>"$top/log" 2>&1 || fail "build: $(tail -n 15 "$top/log")"
}

# Version 0.1.0, and one more that differs by its number.
build() {
	src=$top/builder/src/hawser
	mkdir -p "$top/builder/src"
	git -c safe.directory='*' -c advice.detachedHead=false clone -q --depth 1 "file://$tree" "$src"
	rm -rf "$src/.git"
	apt_in "$top/builder" "build-dep" build-dep --no-install-recommends /src/hawser
	say "dpkg-buildpackage"
	build_packages -us -uc
	say "lintian"
	in_root "$top/builder" sh -c 'lintian --allow-root --fail-on error,warning --tag-display-limit 0 /src/*.changes' ||
		fail "lintian complains"
	mkdir "$top/builder/src/old"
	mv "$top"/builder/src/*.deb "$top/builder/src/old/"
	for name in hawser hawserd; do
		ls "$top/builder/src/old/$name"-dbgsym_*.deb >>"$top/log" || fail "$name has no package for debuggers"
	done
	sed -i '1s/(.*)/(0.1.1)/' "$src/debian/changelog"
	# shellcheck disable=SC2046 # names of files
	(cd "$src" && touch $(grep -rl HAWSER_VERSION user))
	build_packages -b -nc -us -uc
}

# What the packages need, without them.
add_depends() {
	depends=$(for deb in "$top"/builder/src/old/hawser_*.deb "$top"/builder/src/old/hawserd_*.deb; do
		dpkg-deb -f "$deb" Depends
	done | sed 's/hawser ([^)]*), *//' | paste -sd, -)
	apt_in "$top/base" "depends" satisfy --no-install-recommends "$depends"
	rm -f "$top/base/usr/sbin/policy-rc.d"
}
