# SPDX-License-Identifier: GPL-2.0-or-later
# Part of tests/packages.sh: hawserd is replaced under a load of new connections, none of which may fail.

runs_version() {
	on "$1" hawser status | grep -qF "$2"
}

# MACHINE VERSION
upgrade_package() {
	load_begins
	install_packages "$1" "$2"
	sleep 1
	load_ends "package $2 on the $1"
	runs_version "$1" "$2" || fail "$1 runs another version: $(cat "$top/dpkg") $(on "$1" hawser status)"
}

exam_restart() {
	load_begins
	on "$1" systemctl restart hawserd
	sleep 1
	on "$1" hawser upgrade >>"$top/log"
	on "$1" hawser upgrade >>"$top/log"
	sleep 1
	load_ends "systemctl restart and two hawser upgrades of the $1"
}

# Whatever comes in between.
exam_crowd() {
	load_begins
	for _ in 1 2 3; do
		on "$1" hawser upgrade >>"$top/log" 2>&1 &
		upgrading=$!
		on "$1" hawser upgrade >>"$top/log" 2>&1 || true
		on "$1" systemctl restart hawserd
		on "$1" systemctl reload hawserd || true
		wait $upgrading || true
	done
	sleep 1
	load_ends "upgrades, restarts and reloads at once of the $1"
	traffic
}

# How curl ends, whose proxy is the listener that comes and goes: 97: it serves, and the server refuses; 7: it is not there.
ends_with() {
	status=0
	on router curl -sS -m 5 -x socks5h://127.0.0.1:1085 http://203.0.113.2:1/ 2>"$top/said" || status=$?
	[ $status = "$1" ]
}

# By its keeper, or by systemd, to which it leaves its sockets: sessions end, but nobody is refused.
exam_changed_file() {
	conf=$top/router/etc/hawser/hawser.conf
	cp "$conf" "$top/conf"
	load_begins
	echo 'listen "more" { address = "127.0.0.1:1085" }' >>"$conf"
	on router hawser upgrade >>"$top/log"
	comes_true ends_with 97 || fail "the new listener does not serve: $(cat "$top/said")"
	cp "$top/conf" "$conf"
	on router systemctl restart hawserd
	comes_true ends_with 7 || fail "a listener that is gone: $(cat "$top/said")"
	load_ends "a changed configuration on the router"
}

# The package comes while the file is wrong: the old hawserd goes on, and the new one once it is mended.
exam_wrong_file() {
	conf=$top/router/etc/hawser/hawser.conf
	load_begins
	echo nonsense >>"$conf"
	install_packages router 0.1.0
	grep -q "hawserd: the one that runs goes on" "$top/dpkg" && grep -q "hawser.conf:.*nonsense" "$top/dpkg" ||
		fail "nothing is said of a wrong file: $(cat "$top/dpkg")"
	runs_version router 0.1.1 || fail "the old version does not go on: $(on router hawser status)"
	cp "$top/conf" "$conf"
	on router systemctl restart hawserd
	sleep 1
	load_ends "a package that comes while the file is wrong"
	runs_version router 0.1.0 || fail "the new version does not run: $(on router hawser status)"
	[ "$(on router systemctl is-system-running)" = running ] || fail "router: $(on router systemctl --failed --no-pager)"
}

# It ends with a word; what else goes on does.
exam_speed_test() {
	# These links carry what a token may have a day in some seconds.
	sed -i '/^[^#]/s/$/ speedtest=10T/' "$top/exit/etc/hawser/tokens"
	on exit hawser reload >>"$top/log"
	load_begins
	on router hawser speedtest >"$top/speed" 2>&1 &
	testing=$!
	sleep 2
	on router hawser upgrade >>"$top/log"
	if wait $testing; then fail "a speed test outlives its hawserd: $(cat "$top/speed")"; fi
	grep -q 'hawserd' "$top/speed" || fail "a speed test ends without a word: $(cat "$top/speed")"
	load_ends "an upgrade in the middle of a speed test"
	# The exit ends its half some seconds later.
	comes_true on router hawser speedtest --seconds 2 || fail "no speed test afterwards: $(on router hawser speedtest --last 2>&1)"
}

exam_upgrades() {
	for machine in exit router; do
		upgrade_package $machine 0.1.1
		exam_restart $machine
		exam_crowd $machine
	done
	exam_changed_file
	exam_wrong_file
	exam_speed_test
	upgrade_package router 0.1.1
}
