// SPDX-License-Identifier: GPL-2.0-or-later
// The ubus object "hawser": what hawserd says at its control socket, for LuCI and for scripts.
// An answer with "error" is one that could not be had, and says why.
'use strict';

import { access, mkdir, readfile, stat } from 'fs';
import { create, poll, AF_UNIX, MSG_DONTWAIT, MSG_NOSIGNAL, POLLIN, SOCK_CLOEXEC, SOCK_STREAM } from 'socket';
import { cursor } from 'uci';

const CONF = '/var/etc/hawser/hawser.conf';
const TOLD = '/var/etc/hawser/told';
const CONTROL = '/var/run/hawser/control.sock';
const DOCTOR = '/var/run/hawser-doctor';

// rpcd serves nobody else meanwhile, and ubus carries messages of 1 MiB.
const ANSWER_MS = 2000;
const ANSWER_MAX = 786432;
const SESSIONS = 50;
const SESSIONS_MAX = 500;

function control_path() {
	let path = CONTROL;
	const uci = cursor();

	uci.load('hawser');
	uci.foreach('hawser', 'daemon', (section) => {
		path = section.control || path;
	});
	return path;
}

function now_ms() {
	const time = clock(true);

	return time[0] * 1000 + time[1] / 1000000;
}

function read_line(connection) {
	const end = now_ms() + ANSWER_MS;
	let text = '';

	while (length(text) <= ANSWER_MAX) {
		const left = int(end - now_ms());

		if (left <= 0 || !(poll(left, [ connection, POLLIN ])?.[0]?.[1]))
			return { error: `hawserd has not answered within ${ANSWER_MS / 1000} s` };

		const piece = connection.recv(65536, MSG_DONTWAIT);

		if (!length(piece))
			return { error: 'hawserd closed the control socket' };
		text += piece;
		if (ord(text, length(text) - 1) == 10)
			return { text };
	}
	return { error: `hawserd's answer is longer than ${ANSWER_MAX} bytes` };
}

function ask(request) {
	const path = control_path();
	const connection = create(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC);
	let answer;

	if (!connection?.connect({ path })) {
		connection?.close();
		return { error: `hawserd does not answer at ${path}` };
	}
	if (connection.send(sprintf('%J\n', request), MSG_NOSIGNAL) == null)
		answer = { error: `hawserd does not answer at ${path}` };
	else
		answer = read_line(connection);
	connection.close();
	if (answer.error)
		return answer;
	try {
		answer = json(answer.text);
	}
	catch (e) {
		return { error: 'hawserd did not answer with JSON' };
	}
	return answer;
}

// What uci-config found wrong: [{ level, text }].
function settings_told() {
	const told = [];

	for (let line in split(readfile(TOLD) ?? '', '\n')) {
		const parts = match(line, /^([a-z]+) (.+)$/);

		if (parts)
			push(told, { level: parts[1], text: parts[2] });
	}
	return told;
}

function status() {
	const answer = ask({ command: 'status' });

	answer.settings = settings_told();
	return answer;
}

function sessions(request) {
	const limit = request.args.limit || SESSIONS;

	if (limit < 1 || limit > SESSIONS_MAX)
		return { error: `limit ${limit}: expected 1 to ${SESSIONS_MAX}` };
	return ask({ command: 'sessions', limit });
}

function session(request) {
	const id = request.args.id;

	if (!(id > 0))
		return { error: 'id: expected the number of a session' };
	return ask({ command: 'session', id });
}

function doctor_runs() {
	const pid = trim(readfile(`${DOCTOR}/pid`) ?? '');

	return length(pid) > 0 && index(readfile(`/proc/${pid}/cmdline`) ?? '', DOCTOR) >= 0;
}

// The last run: "time" is when it ended, "checks" and "verdict" are as of hawser doctor --json.
function doctor() {
	const text = readfile(`${DOCTOR}/last`);
	let answer = {};

	try {
		answer = json(text ?? '{}');
		answer.time = stat(`${DOCTOR}/last`)?.mtime;
	}
	catch (e) {
		answer = { error: trim(text) || 'hawser doctor said nothing' };
	}
	answer.running = doctor_runs();
	return answer;
}

// Takes up to a minute, so it goes on behind our back.
function doctor_run() {
	const script = `umask 077; { echo $$ >"$0/pid"; hawser doctor --json --control "$1" ` +
		`>"$0/new" 2>"$0/said"; [ -s "$0/new" ] || mv "$0/said" "$0/new"; mv "$0/new" "$0/last"; }`;

	if (doctor_runs())
		return { started: false, running: true };
	mkdir(DOCTOR, 0700);
	if (system([ '/bin/sh', '-c', '/bin/sh -c "$2" "$0" "$1" </dev/null >/dev/null 2>&1 &',
		DOCTOR, control_path(), script ]) != 0)
		return { error: 'hawser doctor cannot be started' };
	return { started: true, running: true };
}

// Translates /etc/config/hawser, and has hawserd read it.
function reload() {
	const result = system([ '/usr/libexec/hawser/uci-config', CONF ], 20000);
	let answer;

	switch (result) {
	case 0:
	case 2:
		answer = ask({ command: 'reload' });
		break;
	case 3:
		answer = { error: 'hawserd is switched off: hawser.daemon.enabled' };
		break;
	default:
		answer = { error: 'the configuration is not used' };
	}
	answer.settings = settings_told();
	return answer;
}

return {
	hawser: {
		status: { call: status },
		links: { call: () => ask({ command: 'links' }) },
		sessions: { args: { limit: 0 }, call: sessions },
		session: { args: { id: 0 }, call: session },
		exits: { call: () => ask({ command: 'exits' }) },
		events: { call: () => ask({ command: 'events' }) },
		doctor: { call: doctor },
		doctor_run: { call: doctor_run },
		speedtest: { call: () => ask({ command: 'speedtest' }) },
		speedtest_run: { call: () => ask({ command: 'speedtest-start' }) },
		speedtest_stop: { call: () => ask({ command: 'speedtest-stop' }) },
		reload: { call: reload },
	},
};
