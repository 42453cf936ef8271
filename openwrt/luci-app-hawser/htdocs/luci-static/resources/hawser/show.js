/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the pages have in common: figures, marks and graphs. */
'use strict';
'require baseclass';

var SAMPLES = 100;
var WIDTH = 300;
var HEIGHT = 80;

var COLOURS = {
	up: '#2e7d32', ok: '#2e7d32', pass: '#2e7d32', full: '#b26a00', warn: '#b26a00', trial: '#b26a00', portal: '#b26a00',
	demoted: '#b26a00', standby: '#1565c0', down: '#c62828', fail: '#c62828', error: '#c62828'
};

function scaled(number, step, units) {
	var unit = 0;

	number = +number || 0;
	while (number >= step && unit < units.length - 1) {
		number /= step;
		unit++;
	}
	return (unit > 0 && number < 10 ? number.toFixed(1) : number.toFixed(0)) + ' ' + units[unit];
}

function bytes(number) {
	return scaled(number, 1000, [ 'B', 'kB', 'MB', 'GB', 'TB', 'PB' ]);
}

/* From bytes per second. */
function rate(number) {
	return scaled(number * 8, 1000, [ 'bit/s', 'kbit/s', 'Mbit/s', 'Gbit/s' ]);
}

function duration(seconds) {
	seconds = Math.floor(+seconds || 0);
	if (seconds < 60)
		return seconds + ' s';
	if (seconds < 3600)
		return Math.floor(seconds / 60) + ' min';
	if (seconds < 172800)
		return Math.floor(seconds / 3600) + ' h ' + Math.floor(seconds % 3600 / 60) + ' min';
	return Math.floor(seconds / 86400) + ' d';
}

function date(seconds) {
	return seconds ? new Date(seconds * 1000).toLocaleString() : '';
}

function badge(word) {
	return E('span', {
		'style': 'color:#fff;border-radius:3px;padding:0 .4em;white-space:nowrap;background:' +
			(COLOURS[word] || (/^(no|same)-/.test(word) ? COLOURS.down : '#616161'))
	}, [ String(word) ]);
}

function svg(name, attributes, children) {
	var element = document.createElementNS('http://www.w3.org/2000/svg', name);

	for (var key in attributes)
		element.setAttribute(key, attributes[key]);
	(children || []).forEach(function(child) { element.appendChild(child); });
	return element;
}

/* The newest sample is at the right. */
function points(samples, key, most) {
	return samples.map(function(sample, i) {
		var x = WIDTH - (samples.length - 1 - i) * WIDTH / (SAMPLES - 1);
		var y = HEIGHT - 1 - sample[key] / most * (HEIGHT - 4);

		return x.toFixed(1) + ',' + y.toFixed(1);
	}).join(' ');
}

/* samples: of rx and tx, bytes per second. */
function graph(samples, label) {
	var most = samples.reduce(function(so_far, sample) {
		return Math.max(so_far, sample.rx, sample.tx);
	}, 12500);
	var down = points(samples, 'rx', most);
	var first = down ? down.split(',')[0] : WIDTH;

	return E('div', { 'style': 'position:relative' }, [
		svg('svg', {
			'viewBox': '0 0 ' + WIDTH + ' ' + HEIGHT, 'preserveAspectRatio': 'none', 'role': 'img',
			'aria-label': label, 'style': 'width:100%;height:80px;background:rgba(128,128,128,.12)'
		}, [
			svg('polygon', {
				'points': first + ',' + HEIGHT + ' ' + down + ' ' + WIDTH + ',' + HEIGHT,
				'style': 'fill:#1e88e5;fill-opacity:.35'
			}),
			svg('polyline', {
				'points': down, 'vector-effect': 'non-scaling-stroke',
				'style': 'fill:none;stroke:#1e88e5;stroke-width:1.5'
			}),
			svg('polyline', {
				'points': points(samples, 'tx', most), 'vector-effect': 'non-scaling-stroke',
				'style': 'fill:none;stroke:#ef6c00;stroke-width:1.5'
			})
		]),
		E('small', { 'style': 'position:absolute;left:.3em;top:0;opacity:.7' }, [ rate(most) ])
	]);
}

/* Of links, by their name: what the page has seen of them. */
function remember(history, link) {
	var samples = history[link.name] = history[link.name] || [];

	samples.push({ rx: link.rate_1s.rx, tx: link.rate_1s.tx });
	if (samples.length > SAMPLES)
		samples.shift();
	return samples;
}

/* Cells are texts or elements. */
function table(titles, rows, placeholder) {
	var element = E('table', { 'class': 'table' }, [
		E('tr', { 'class': 'tr table-titles' }, titles.map(function(title) {
			return E('th', { 'class': 'th' }, [ title ]);
		}))
	]);

	/* It takes texts for HTML, and they may come from others. */
	rows = rows.map(function(row) {
		return row.map(function(cell) { return E('span', {}, [ cell ]); });
	});
	cbi_update_table(element, rows, E('em', {}, [ placeholder ]));
	return element;
}

/* Without titles. */
function pairs(rows) {
	return E('table', { 'class': 'table' }, rows.map(function(row) {
		return E('tr', { 'class': 'tr' }, row.map(function(cell) {
			return E('td', { 'class': 'td left' }, [ cell ]);
		}));
	}));
}

function replace(node, children) {
	while (node.firstChild)
		node.removeChild(node.firstChild);
	children.forEach(function(child) { node.appendChild(child); });
}

function warning(text) {
	return E('div', { 'class': 'alert-message warning', 'style': 'overflow-wrap:anywhere' }, [ text ]);
}

/* What is wrong with the whole, from the answer of status. */
function faults(status) {
	var found = [];
	var last = status.configuration ? status.configuration.reload : null;

	if (status.error)
		found.push(warning(_('Hawser does not run: %s').format(status.error)));
	if (status.draining)
		found.push(warning(_('Hawser is stopping; it waits for sessions to end.')));
	if (last && !last.ok)
		found.push(warning(_('The last change was not taken: %s').format(last.said)));
	(status.settings || []).forEach(function(told) {
		if (told.level != 'notice')
			found.push(warning(told.text));
	});
	return found;
}

function checks(doctor) {
	var order = { fail: 0, warn: 1, ok: 2 };
	var list = (doctor.checks || []).slice();

	list.sort(function(a, b) { return order[a.verdict] - order[b.verdict]; });
	return list;
}

function show_checks(list, placeholder) {
	return table([ _('Verdict'), _('Of'), _('Check'), _('Seen'), _('Mend') ],
		list.map(function(check) {
			return [ badge(check.verdict),
				[ check.subject, check.name, check.via, check.family ].filter(Boolean).join(' '),
				check.check, check.seen, check.mend || '' ];
		}), placeholder);
}

/* What is well is there for who wants to know. */
function show_doctor(doctor) {
	var list = checks(doctor);
	var well = list.filter(function(check) { return check.verdict == 'ok'; });
	var placeholder = well.length ? _('All is well.') : _('No check has run yet.');

	if (doctor.error)
		return warning(doctor.error);
	return E('div', {}, [
		show_checks(list.filter(function(check) { return check.verdict != 'ok'; }), placeholder),
		well.length ? E('details', {}, [
			E('summary', {}, [ _('%d checks are well').format(well.length) ]), show_checks(well, '')
		]) : ''
	]);
}

return baseclass.extend({
	bytes: bytes, rate: rate, duration: duration, date: date, badge: badge, graph: graph,
	remember: remember, table: table, pairs: pairs, replace: replace, faults: faults, warning: warning,
	show_doctor: show_doctor
});
