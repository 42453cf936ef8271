/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All that /etc/config/hawser has, as hawser.conf(5) and openwrt/README.md say: [ option, kind, title, and
 * for some kinds more ]. A test compares them with the manual. */
'use strict';
'require baseclass';

var daemon = [
	[ 'enabled', 'flag', _('Hawser runs'), '1' ],
	[ 'workers', 'number', _('Threads (a change needs a restart)'), 1, 64 ],
	[ 'log_level', 'word', _('Log'), [ 'error', 'warning', 'info', 'debug' ], 'info' ],
	[ 'history', 'flag', _('Keep what links, exits and clients carry'), '1' ],
	[ 'access_log', 'text', _('A line for each session: a file, syslog or off') ],
	[ 'announce', 'places', _('For an exit behind a balancer: addresses that are its own, where further subflows come') ],
	[ 'on_event', 'file', _('Program that is run when a link or the exit changes') ],
	[ 'state_dir', 'file', _('Directory for what survives restarts'), '/etc/hawser/state' ],
	[ 'control', 'file', _('Control socket (a change needs a restart)'), '/var/run/hawser/control.sock' ],
	[ 'jail', 'flag', _('In a jail, where procd-ujail is installed'), '0' ]
];

var link = [
	[ 'interface', 'network', _('Interface') ],
	[ 'device', 'device', _('Device, instead of an interface') ],
	[ 'role', 'word', _('Role'), [ 'primary', 'shared', 'backup', 'metered', 'off' ], 'shared' ],
	[ 'weight', 'number', _('Weight'), 1, 100, 1 ],
	[ 'enabled', 'flag', _('Enabled'), '1' ],
	[ 'name', 'text', _('Name, where the section\'s will not do') ],
	[ 'rate_down', 'amount', _('Carries down, bits per second') ],
	[ 'rate_up', 'amount', _('Carries up, bits per second') ],
	[ 'quota', 'amount', _('Quota, bytes a month') ],
	[ 'reset_day', 'number', _('Day on which the quota is whole again'), 1, 31, 1 ],
	[ 'gateway', 'addresses', _('Gateways, where they are not to be found') ],
	[ 'probe', 'probes', _('Asked whether the link works: addresses, or off') ],
	[ 'probe_quorum', 'number', _('So many of them must answer'), 1, 4, 1 ],
	[ 'demote', 'flag', _('Set it aside while it slows the others down'), '1' ]
];

var exit = [
	[ 'address', 'place', _('Address'), true ],
	[ 'port', 'number', _('Port'), 1, 65535, 1080 ],
	[ 'token', 'secret', _('Token: NAME KEY') ],
	[ 'token_file', 'file', _('File with the token, instead') ],
	[ 'priority', 'number', _('Priority: the lowest are used'), 0, 65535, 1 ],
	[ 'weight', 'number', _('Weight'), 1, 65535, 1 ],
	[ 'enabled', 'flag', _('Enabled'), '1' ],
	[ 'name', 'text', _('Name, where the section\'s will not do') ]
];

var listen = [
	[ 'interface', 'network', _('On all addresses of an interface') ],
	[ 'port', 'number', _('Port there'), 1, 65535, 1080 ],
	[ 'address', 'endpoint', _('ADDRESS:PORT, instead of an interface') ],
	[ 'to', 'endpoint', _('All clients are connected to HOST:PORT') ],
	[ 'transparent', 'flag', _('Takes connections on their way'), '0' ],
	[ 'token', 'secrets', _('An exit for routers with one of these tokens: NAME KEY') ],
	[ 'tokens', 'file', _('File with tokens, instead') ],
	[ 'exit_name', 'text', _('Takes only what is sent to an exit of this name') ],
	[ 'metrics', 'flag', _('Metrics and a page for browsers, and no proxy'), '0' ],
	[ 'enabled', 'flag', _('Enabled'), '1' ],
	[ 'name', 'text', _('Name, where the section\'s will not do') ]
];

var user = [
	[ 'password', 'secret', _('Password') ],
	[ 'password_file', 'file', _('File with the password, instead') ],
	[ 'enabled', 'flag', _('Enabled'), '1' ],
	[ 'name', 'text', _('Name, where the section\'s will not do') ]
];

var access = [
	[ 'enabled', 'flag', _('Enabled'), '1' ],
	[ 'allow_interface', 'networks', _('Clients of these interfaces need no password') ],
	[ 'allow', 'prefixes', _('Clients of these ranges need no password') ],
	[ 'own_allow', 'prefixes', _('Addresses of this router that clients may reach') ],
	[ 'exit_allow', 'prefixes', _('Special addresses that sessions with a token may reach') ],
	[ 'accept_proxy_protocol', 'prefixes', _('Proxies here tell who their client is') ]
];

var metrics = [
	[ 'enabled', 'flag', _('Enabled'), '1' ],
	[ 'allow_interface', 'networks', _('Clients of these interfaces need no token') ],
	[ 'allow', 'prefixes', _('Clients of these ranges need no token') ],
	[ 'token', 'secret', _('Token, 16 to 256 letters and digits') ],
	[ 'token_file', 'file', _('File with the token, instead') ],
	[ 'host', 'names', _('Other names by which browsers ask for this router') ]
];

var upstream = [
	[ 'enabled', 'flag', _('Enabled'), '1' ],
	[ 'when_no_exit', 'word', _('When no exit answers'), [ 'direct', 'refuse' ], 'direct' ],
	[ 'exit_answer', 'time', _('An exit silent for so long is down'), '2.5' ],
	[ 'exit_probe', 'time', _('An idle exit is asked so often'), '10' ],
	[ 'sticky', 'time', _('A client reaches a server by one link and exit for so long, or no'), '10m', [ 'no' ] ],
	[ 'mptcp', 'word', _('MPTCP for outgoing connections'), [ 'auto', 'on', 'off' ], 'auto' ],
	[ 'congestion', 'choice', _('Congestion control of MPTCP'), [ 'auto', 'system', 'bbr', 'cubic' ], 'auto' ],
	[ 'tcp_only_expiry', 'time', _('A server without MPTCP is known for'), '3600' ],
	[ 'tcp_only_retry', 'number', _('MPTCP is tried with it every so many connections'), 1, 1000000, 32 ],
	[ 'links', 'word', _('Links that are set up'), [ 'listed', 'auto', 'manual' ], 'listed' ],
	[ 'portal_check', 'text', _('How a captive portal is noticed: auto, off or a URL to ask'), 'auto' ],
	[ 'portal_answer', 'text', _('What the page at that URL begins with') ],
	[ 'send_proxy_protocol', 'endpoints', _('Told who the client is: HOST:PORT') ]
];

var intercept = [
	[ 'enabled', 'flag', _('Enabled'), '1' ],
	[ 'up', 'flag', _('Take the connections of the LAN'), '0' ],
	[ 'lan_interface', 'networks', _('Interfaces where clients are') ],
	[ 'lan', 'devices', _('Devices where clients are') ],
	[ 'method', 'word', _('Method'), [ 'tproxy', 'redirect', 'bpf' ], 'tproxy' ],
	[ 'bypass_destination', 'prefixes', _('Leave connections to these addresses alone') ],
	[ 'bypass_port', 'ports', _('Leave connections to these ports alone') ],
	[ 'bypass_source', 'prefixes', _('Leave these clients alone') ],
	[ 'bypass_mac', 'macs', _('Leave clients with these network cards alone') ],
	[ 'bypass_domain', 'names', _('Plain TCP to servers of these names') ],
	[ 'transparent_source', 'flag', _('Dial from the client\'s address'), '0' ],
	[ 'connect_first', 'flag', _('Accept a connection when the one to its server stands'), '1' ],
	[ 'prefer_name', 'flag', _('Have exits look up the name that a client sends'), '0' ],
	[ 'auto_bypass', 'flag', _('Route past Hawser what has no MPTCP'), '0' ]
];

var relay = [
	[ 'enabled', 'flag', _('Enabled'), '1' ],
	[ 'tier', 'word', _('How bytes are moved'), [ 'auto', 'copy', 'splice', 'sockmap', 'packets' ], 'auto' ],
	[ 'tick', 'time', _('How often bulk is looked at: auto, off or a time'), 'auto', [ 'auto', 'off' ] ],
	[ 'packets', 'flag', _('Forward packets of sessions that take turns, past the firewall (the first time after a restart)'), '0' ],
	[ 'bpf', 'flag', _('Load BPF programs (a change needs a restart)'), '1' ],
	[ 'bpf_pins', 'file', _('Directory for BPF maps (a change needs a restart)'), '/sys/fs/bpf/hawser' ],
	[ 'local_accel', 'file', _('Clients in this control group send past TCP'), '/sys/fs/cgroup/…' ],
	[ 'torture', 'flag', _('Change tiers and ticks at random, for tests'), '0' ]
];

var timeouts = [
	[ 'enabled', 'flag', _('Enabled'), '1' ],
	[ 'handshake', 'time', _('For a client to say where it wants to go'), '10' ],
	[ 'resolve', 'time', _('To find the addresses of a name'), '10' ],
	[ 'connect', 'time', _('To connect to the destination'), '30' ],
	[ 'idle', 'time', _('Without a byte either way'), '86400' ],
	[ 'half_closed', 'time', _('The same, after one side has ended'), '900' ],
	[ 'drain', 'time', _('For sessions to end when Hawser stops'), '30' ],
	[ 'event', 'time', _('For the program that is run when something changes'), '30' ]
];

/* Experts know them by their names. */
function constant(name, standard) {
	return [ name, 'constant', name.replace(/_/g, '-'), standard ];
}

var tune = [
	[ 'enabled', 'flag', _('Enabled'), '1' ],
	constant('pump_bytes', 524288), constant('short_take_bytes', 16384), constant('tick_window_us', 4000),
	constant('tick_windows', 4), constant('tick_bytes', 524288), constant('tick_bytes_min', 65536),
	constant('tick_bytes_little', 16384), constant('tick_min_us', 1000), constant('tick_max_us', 4000),
	constant('tick_rtt_share', 8), constant('tick_choice', 16), constant('chat_turns', 64),
	constant('chat_window_us', 100000), constant('chat_bytes', 24576), constant('chat_backoff_ms', 1000),
	constant('chat_backoff_max_ms', 64000), constant('chat_trial_ms', 150), constant('chat_trial_rest_s', 30),
	constant('sockmap_bytes', 262144), constant('unsent_bytes', 524288),
	constant('receive_bytes', 5242880), constant('redial_below_port', 1024), constant('keepalive_idle_s', 120),
	constant('keepalive_interval_s', 30)
];

/* Of those that are shown in a row each, the first "columns" options are columns. */
return baseclass.extend({
	sections: [
		{ type: 'daemon', title: _('General'), options: daemon },
		{ type: 'link', title: _('Links'), options: link, columns: 4 },
		{ type: 'exit', title: _('Exits'), options: exit, columns: 2 },
		{ type: 'intercept', title: _('LAN'), options: intercept },
		{ type: 'listen', title: _('Listeners'), options: listen, columns: 3 },
		{ type: 'access', title: _('Access'), options: access },
		{ type: 'user', title: _('Users'), options: user, columns: 0 },
		{ type: 'metrics', title: _('Metrics'), options: metrics },
		{ type: 'upstream', title: _('Upstream'), options: upstream },
		{ type: 'timeouts', title: _('Timeouts'), options: timeouts },
		{ type: 'relay', title: _('Relay'), options: relay },
		{ type: 'tune', title: _('Experiments'), options: tune }
	]
});
