# SPDX-License-Identifier: GPL-2.0-or-later
# Part of tests/packages.sh: exit-setup beside firewalls of others, and a purge of all that it did.

# What changes by exit-setup beside the files of the package.
host_state() {
	on vps sh -c 'ufw status; nft list ruleset | grep -v "# handle"; sysctl net.mptcp.enabled net.ipv4.tcp_fastopen \
		net.ipv4.tcp_rmem net.ipv4.tcp_wmem; cat /etc/nftables.conf; ls -d /etc/sysctl.d/* /etc/modules-load.d/* \
		/etc/nftables.conf*' | grep -v "counter packets"
}

# The package goes without an undo before.
exam_purge() {
	say "purge of an exit with $1"
	on vps sysctl -qw net.ipv4.tcp_wmem="4096 16384 4194304" net.ipv4.tcp_fastopen=1
	host_state >"$top/vps.before"
	on vps hawser exit-setup --address 192.0.2.9 >"$top/first" || fail "exit-setup with $1: $(cat "$top/first")"
	! host_state | cmp -s - "$top/vps.before" || fail "exit-setup with $1 has done nothing: $(cat "$top/first")"
	# Of one that was killed while it wrote.
	for file in nftables.conf nftables.conf.hawser-setup-check sysctl.d/60-hawser-exit.conf modules-load.d/hawser-exit.conf; do
		echo half >"$top/vps/etc/$file.hawser-new"
	done
	on vps dpkg --purge hawserd hawser >>"$top/log" 2>&1 || fail "vps: purge: $(tail "$top/log")"
	host_state | diff "$top/vps.before" - || fail "purge with $1 leaves something"
	! ls -d "$top"/vps/etc/hawser "$top"/vps/var/lib/hawser "$top"/vps/var/log/hawser 2>/dev/null ||
		fail "purge with $1 leaves a directory"
}

# A firewall that lets nobody in.
closed_firewall() {
	printf '%s\n' 'flush ruleset' 'table inet filter { chain input { type filter hook input priority 0; policy drop;' \
		'iif lo accept' 'ct state established,related accept' '}' '}' >"$top/$1/etc/nftables.conf"
}

# With a firewall that is another's: its rule comes, once, and goes.
exam_ufw() {
	say "ufw"
	make_machine vps
	apt_in "$top/vps" ufw install --no-install-recommends ufw
	boot vps
	install_packages vps 0.1.0
	on vps ufw --force enable >>"$top/log" 2>&1 || fail "ufw: $(tail -n 5 "$top/log")"
	for time in first second; do
		on vps hawser exit-setup --address 192.0.2.9 >"$top/$time" || fail "exit-setup with ufw: $(cat "$top/$time")"
		on vps ufw status >"$top/ufw"
		[ "$(grep -c '^1080/tcp  *ALLOW  *Anywhere *$' "$top/ufw")" = 1 ] || fail "ufw keeps routers out: $(cat "$top/ufw")"
	done
	grep -q '^  done *firewall *ufw' "$top/first" || fail "exit-setup has not asked ufw: $(cat "$top/first")"
	! grep '^  done' "$top/second" || fail "exit-setup does something again"
	on vps hawser exit-setup --undo >"$top/undo" || fail "undo: $(cat "$top/undo")"
	! on vps ufw status | grep 1080 || fail "ufw's rule is left"
	exam_purge "ufw"
	on vps ufw --force disable >>"$top/log" 2>&1 || fail "ufw: $(tail -n 5 "$top/log")"
	closed_firewall vps
	on vps nft -f /etc/nftables.conf
	install_packages vps 0.1.0
	exam_purge "nftables"
	exam_legacy
	halt vps
}

# Rules that nftables does not show: the command that is printed lets routers in.
exam_legacy() {
	say "iptables-legacy"
	on vps nft flush ruleset
	install_packages vps 0.1.0
	on vps sh -c 'iptables-legacy -A INPUT -i lo -j ACCEPT && iptables-legacy -P INPUT DROP' ||
		fail "this kernel has no iptables-legacy"
	on vps hawser exit-setup --address 192.0.2.9 >"$top/first" || fail "exit-setup with iptables-legacy: $(cat "$top/first")"
	grep -q '^  hand *firewall ' "$top/first" || fail "exit-setup has not asked iptables-legacy: $(cat "$top/first")"
	on vps sh -c "$(grep '^iptables-legacy ' "$top/first")" || fail "the command fails: $(cat "$top/first")"
	on vps hawser exit-setup >"$top/second" || fail "exit-setup again: $(cat "$top/second")"
	! grep '^  \(hand\|done\)' "$top/second" || fail "exit-setup finds something to do again"
	on vps dpkg --purge hawserd hawser >>"$top/log" 2>&1 || fail "vps: purge: $(tail "$top/log")"
}

reaches() {
	in_net client chroot "$top/base" /usr/bin/python3 -c 'import socket
socket.create_connection(("192.0.2.9", 1080), 3)' 2>/dev/null
}

# The real one, whose zones are its owner's: the command that is printed opens the port, now and after a boot.
exam_firewalld() {
	say "firewalld"
	make_machine guard
	apt_in "$top/guard" firewalld install --no-install-recommends firewalld netbase
	boot guard
	wire guard wan 192.0.2.9/24 client guard 192.0.2.10/24
	on guard systemctl is-active --quiet firewalld || fail "firewalld: $(on guard journalctl --no-pager -u firewalld)"
	install_packages guard 0.1.0
	on guard hawser exit-setup --address 192.0.2.9 >"$top/first" || fail "exit-setup with firewalld: $(cat "$top/first")"
	grep -q '^  hand *firewall ' "$top/first" || fail "exit-setup has not asked firewalld: $(cat "$top/first")"
	! reaches || fail "firewalld keeps nobody out"
	on guard sh -c "$(grep '^firewall-cmd ' "$top/first")" >>"$top/log" || fail "the command fails: $(cat "$top/first")"
	reaches || fail "firewalld keeps routers out: $(on guard firewall-cmd --list-all)"
	on guard hawser exit-setup >"$top/second" || fail "exit-setup again: $(cat "$top/second")"
	! grep '^  \(hand\|done\)' "$top/second" || fail "exit-setup finds something to do again"
	halt guard
	boot guard
	wire guard wan 192.0.2.9/24 client guard 192.0.2.10/24
	reaches || fail "firewalld keeps routers out after a boot"
	halt guard
}
