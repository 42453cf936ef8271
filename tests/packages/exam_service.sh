# SPDX-License-Identifier: GPL-2.0-or-later
# Part of tests/packages.sh: what the real systemd makes of the units, on a machine that has the package and
# no configuration yet.

# The hawserd behind the keeper; nothing: it does not answer.
hawserd_of() {
	on "$1" timeout 2 hawser status --json | sed -n 's/^{*[^{]*"pid": *\([0-9]*\).*/\1/p'
}

is_another() {
	now=$(hawserd_of "$1")
	[ -n "$now" ] && [ "$now" != "$2" ]
}

is_gone() {
	! on "$1" kill -0 "$2" 2>/dev/null
}

# One that does not answer any more is replaced, and does not stay.
exam_watchdog() {
	on "$1" mkdir -p /run/systemd/system/hawserd.service.d
	printf '[Service]\nWatchdogSec=2\n' | on "$1" sh -c 'cat >/run/systemd/system/hawserd.service.d/soon.conf'
	on "$1" systemctl daemon-reload
	on "$1" systemctl restart hawserd
	hangs=$(hawserd_of "$1")
	on "$1" kill -STOP "$hangs"
	comes_true is_another "$1" "$hangs" || fail "the watchdog does nothing: $(on "$1" systemctl status --no-pager hawserd)"
	[ "$(on "$1" systemctl show --value -p NRestarts hawserd)" -ge 1 ] || fail "systemd has not restarted it"
	comes_true is_gone "$1" "$hangs" || fail "who hangs stays"
	on "$1" systemctl is-active --quiet hawserd || fail "it is not active after the watchdog"
	on "$1" rm -r /run/systemd/system/hawserd.service.d
	on "$1" systemctl daemon-reload
	on "$1" systemctl restart hawserd
}

# A bad file: who reloads is told, the journal has it as an error, and the service goes on.
exam_reload() {
	running=$(hawserd_of "$1")
	echo nonsense | on "$1" sh -c 'cat >/etc/hawser/hawser.conf'
	! on "$1" systemctl reload hawserd 2>/dev/null || fail "systemctl reload takes nonsense"
	! on "$1" hawser upgrade 2>"$top/said" || fail "hawser upgrade takes nonsense"
	grep -q "the old one goes on" "$top/said" || fail "hawser upgrade: $(cat "$top/said")"
	[ "$(hawserd_of "$1")" = "$running" ] || fail "another hawserd runs after nonsense"
	on "$1" journalctl -q --no-pager -u hawserd -p err -o cat | grep -q 'hawser.conf' ||
		fail "no error in the journal: $(on "$1" journalctl --no-pager -u hawserd)"
	! on "$1" journalctl -q --no-pager -u hawserd -p err -o cat | grep 'capabilities:' ||
		fail "what is no error is one in the journal"
	echo 'listen "page" { address = "127.0.0.1:9180"  metrics = yes }' | on "$1" sh -c 'cat >/etc/hawser/hawser.conf'
	on "$1" systemctl reload hawserd || fail "systemctl reload: $(on "$1" journalctl --no-pager -u hawserd)"
	page_is_served "$1" || fail "no page after a reload"
	on "$1" hawser upgrade >>"$top/log" || fail "hawser upgrade"
	page_is_served "$1" || fail "no page after an upgrade"
	on "$1" rm /etc/hawser/hawser.conf
	on "$1" systemctl restart hawserd
}

# It is started by its first client, and again after a stop.
exam_socket_unit() {
	on "$1" systemctl -q disable --now hawserd.service
	on "$1" systemctl -q enable --now hawserd.socket
	on "$1" sh -c 'cd /tmp && echo hello >file && exec /usr/bin/python3 -m http.server --bind 127.0.0.1 8000' >/dev/null 2>&1 &
	serving=$!
	comes_true on "$1" curl -fsS http://127.0.0.1:8000/file || fail "no server"
	for _ in 1 2; do
		! on "$1" systemctl is-active --quiet hawserd.service || fail "hawserd runs before its first client"
		[ "$(on "$1" curl -fsS -x socks5h://127.0.0.1:1080 http://127.0.0.1:8000/file)" = hello ] ||
			fail "the socket unit: $(on "$1" journalctl --no-pager -u hawserd.service -u hawserd.socket)"
		on "$1" systemctl restart hawserd.service
		[ "$(on "$1" curl -fsS -g -x 'socks5h://[::1]:1080' http://127.0.0.1:8000/file)" = hello ] ||
			fail "after a restart: $(on "$1" journalctl --no-pager -u hawserd.service -u hawserd.socket)"
		on "$1" systemctl stop hawserd.service 2>/dev/null
	done
	on "$1" systemctl -q disable --now hawserd.socket
	on "$1" systemctl -q enable --now hawserd.service
	on "$1" pkill -f 'http.server --bind 127.0.0.1 8000'
	wait $serving || true
	on "$1" rm /tmp/file
}

exam_service() {
	say "service"
	for test in $(sed -n 's/^Tests: //p' "$tree/debian/tests/control"); do
		on "$1" sh "/debs/$test" >"$top/said" 2>&1 || fail "debian/tests/$test: $(cat "$top/said")"
	done
	on "$1" systemd-analyze security --no-pager --threshold=20 hawserd.service >"$top/exposure" ||
		fail "exposure: $(tail -n 1 "$top/exposure")"
	exam_watchdog "$1"
	exam_reload "$1"
	exam_socket_unit "$1"
	on "$1" systemctl reset-failed
}
