# SPDX-License-Identifier: GPL-2.0-or-later
# Part of tests/packages.sh: client -- lan router out -- isp -- in exit web -- web; two links would be no
# other test. Who is no client of the exit's does not reach web.

wire_router() {
	wire router out 198.51.100.1/30 isp router 198.51.100.2/30
	in_net router ip route add default via 198.51.100.2
	wire router lan 10.9.0.1/24 client lan 10.9.0.2/24
	in_net client ip route add default via 10.9.0.1
}

wire_exit() {
	wire exit in 198.51.100.6/30 isp exit 198.51.100.5/30
	in_net exit ip route add default via 198.51.100.5
	wire exit web 203.0.113.1/24 web web 203.0.113.2/24
}

make_hosts() {
	printf '%s\n' 'import socketserver' 'class E(socketserver.BaseRequestHandler):' '    def handle(self):' \
		'        while data := self.request.recv(65536): self.request.sendall(data)' \
		'class S(socketserver.ThreadingTCPServer):' '    allow_reuse_address = daemon_threads = True' \
		'    request_queue_size = 1024' \
		'S(("0.0.0.0", 7000), E).serve_forever()' >"$top/base/echo.py"
	host web /usr/bin/python3 /echo.py
	host isp sleep infinity
	host client sleep infinity
}

# Through links and interception.
lan_traffic() {
	on router hawser links | grep -q '^wan .* up ' &&
		in_net client chroot "$top/base" /usr/bin/python3 -c 'import socket
with socket.create_connection(("203.0.113.2", 7000), 5) as web:
    web.sendall(b"hello")
    assert web.recv(5) == b"hello"' 2>/dev/null
}

all_traffic() {
	on router hawser exits | grep -q ' up ' && on router python3 /debs/load.py once && lan_traffic
}

# Until a router's session has gone through the exit, and one of its LAN.
traffic() {
	comes_true all_traffic ||
		fail "no traffic: $(on router hawser exits 2>&1) $(on router hawser links 2>&1) $(on router hawser doctor 2>&1)"
}

# The page, and figures for Prometheus.
page_is_served() {
	on "$1" curl -fsS http://127.0.0.1:9180/ | grep -i '<!doctype html>' >/dev/null &&
		on "$1" curl -fsS http://127.0.0.1:9180/metrics | grep '^hawser_sessions ' >/dev/null
}

load_begins() {
	rm -f "$top/router/debs/stop"
	on router python3 /debs/load.py load >"$top/load" 2>&1 &
	load=$!
	sleep 1
}

load_ends() {
	: >"$top/router/debs/stop"
	wait $load || fail "$1: $(cat "$top/load")"
	say "$1: $(tail -n 1 "$top/load")"
}
