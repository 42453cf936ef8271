# SPDX-License-Identifier: GPL-2.0-or-later
# Part of tests/packages.sh: an exit and its router from the installation to the purge.

# What a machine's disk has beside what time changes.
listing() {
	(cd "$top/$1" && find . -xdev \( -path ./var/log -o -path ./var/cache -o -path ./var/lib/dpkg -o -path ./run -o \
		-path ./tmp -o -path ./var/tmp -o -path ./debs -o -path ./var/lib/systemd -o -path ./root -o -path ./dev -o \
		-path ./proc -o -path ./sys -o -name '*.pyc' -o -name __pycache__ -o -name '*-' -o -name .pwd.lock \) \
		-prune -o -print | sort
	cd "$top/$1" && md5sum etc/passwd etc/group etc/nftables.conf)
}

install_both() {
	for machine in exit router; do
		boot $machine
		listing $machine >"$top/$machine.before"
		install_packages $machine 0.1.0
		on $machine systemctl is-active --quiet hawserd || fail "$machine: $(on $machine journalctl -u hawserd)"
		on $machine systemctl is-enabled --quiet hawserd || fail "$machine: hawserd is not enabled"
	done
}

exam_exit_setup() {
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
}

exam_exit_add() {
	say "exit-add"
	printf '%s\n' 'link "wan" { device = "out" }' 'intercept { up = yes  lan = { "lan" } }' \
		'listen "own" { address = "127.0.0.1:1080" }' 'listen "lan" { address = "127.0.0.1:1090"  transparent = on }' \
		'listen "page" { address = "127.0.0.1:9180"  metrics = yes }' \
		'access { allow = { "127.0.0.0/8", "10.9.0.0/24" } }' >"$top/router/etc/hawser/hawser.conf"
	on router systemctl restart hawserd
	# shellcheck disable=SC2086 # as a shell has it
	on router $line || fail "exit-add"
	traffic
	page_is_served router || fail "no page: $(on router curl -sS http://127.0.0.1:9180/metrics 2>&1 | head -n 20)"
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

# With a session that goes on: it ends by then, lest its hawserd write something afterwards.
purge_both() {
	say "purge"
	load_begins
	for machine in router exit; do
		[ $machine = router ] || on exit hawser exit-setup --undo >"$top/undo" || fail "undo: $(cat "$top/undo")"
		on $machine dpkg --purge hawserd hawser >>"$top/log" 2>&1 || fail "$machine: purge: $(tail "$top/log")"
		! on $machine pgrep hawserd || fail "$machine: hawserd still runs"
		listing $machine >"$top/$machine.after"
	done
	: >"$top/router/debs/stop"
	wait $load || true
	sed -i '/nftables.conf$/d; /multi-user.target.wants.nftables\|sysinit.target.wants.nftables/d' "$top/exit.after"
	listing exit | grep 'nftables.conf$' | cmp - "$top/exit.nftables" || fail "nftables.conf is not as it was"
	for machine in exit router; do
		diff "$top/$machine.before" "$top/$machine.after" || fail "$machine: something is left"
	done
	! on exit nft list ruleset | grep 1080 || fail "the firewall's rule is left"
	! on router nft list ruleset | grep hawser || fail "a rule of interception is left"
	[ "$(on router ip rule list | wc -l)" = 3 ] || fail "a rule of links is left: $(on router ip rule list)"
}

exam_exit() {
	install_both
	exam_service exit
	wire_exit
	wire_router
	exam_exit_setup
	exam_exit_add
	exam_upgrades
	boot_again exit
	boot_again router
	boot_again exit router
	boot_again router exit
	purge_both
}
