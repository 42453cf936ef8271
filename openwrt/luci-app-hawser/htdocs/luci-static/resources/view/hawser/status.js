/* SPDX-License-Identifier: GPL-2.0-or-later */
'use strict';
'require view';
'require poll';
'require ui';
'require hawser.calls as calls';
'require hawser.show as show';

var POLL_S = 3;
var SESSIONS = 50;
var EVENTS = 20;

var history = {};
var opened = {}; /* sessions whose subflows are shown: what is known of them */

function overview(status) {
	var rows = [
		[ _('Version'), '%s, Linux %s'.format(status.version, status.kernel_version) ],
		[ _('Runs since'), show.duration(status.uptime_s) ],
		[ _('Sessions'), _('%d now, %d in all').format(status.sessions.active, status.sessions.total) ],
		[ _('Carried'), _('%s down, %s up').format(show.bytes(status.bytes.down),
			show.bytes(status.bytes.up)) ],
		[ _('Links'), _('%d of %d up').format(status.links.up, status.links.count) +
			(status.links.reason ? ': ' + status.links.reason : '') ],
		[ _('LAN taken'), status.interception.wanted ? (status.interception.fault || _('yes')) : _('no') ]
	];

	return show.pairs(rows);
}

function path_text(link, path) {
	if (!path || !path.address)
		return null;
	return path.address + (path.works || link.portal ? '' : ' ' + _('(answers nothing)'));
}

function quota_text(quota) {
	return _('%s of %s until %s').format(show.bytes(quota.used), show.bytes(quota.bytes), quota.until);
}

/* The URL is of hawserd's making; what the portal says of itself is none to click on. */
function portal_link(portal) {
	return E('a', { 'href': portal.login, 'target': '_blank', 'rel': 'noreferrer', 'title': portal.url },
		[ _('Behind a portal: log in') ]);
}

function link_card(link) {
	var samples = show.remember(history, link);
	var addresses = [ path_text(link, link.ipv4), path_text(link, link.ipv6) ].filter(Boolean);

	return E('div', {
		'style': 'flex:1 1 260px;min-width:0;border:1px solid rgba(128,128,128,.4);border-radius:4px;padding:.6em'
	}, [
		E('div', { 'style': 'display:flex;gap:.5em;align-items:center;flex-wrap:wrap' }, [
			E('strong', {}, [ link.name ]), show.badge(link.state),
			E('span', {}, [ link.device + ', ' + link.role ])
		]),
		show.graph(samples, _('Rates of %s').format(link.name)),
		E('div', {}, [
			E('span', { 'style': 'color:#1e88e5' }, [ '▼ ' + show.rate(link.rate_1s.rx) ]), ' ',
			E('span', { 'style': 'color:#ef6c00' }, [ '▲ ' + show.rate(link.rate_1s.tx) ])
		]),
		E('small', { 'style': 'overflow-wrap:anywhere' }, [
			_('%s down, %s up').format(show.bytes(link.bytes.rx), show.bytes(link.bytes.tx)),
			link.portal ? E('div', {}, [ portal_link(link.portal) ]) : '',
			link.quota ? E('div', {}, [ _('Quota: ') + quota_text(link.quota) ]) : '',
			E('div', {}, [ addresses.join(', ') || _('no address') ])
		])
	]);
}

function show_links(links) {
	var list = links.links || [];

	if (list.length == 0)
		return E('em', {}, [ links.error || links.reason || _('No links are set up.') ]);
	return E('div', { 'style': 'display:flex;flex-wrap:wrap;gap:.8em' }, list.map(link_card));
}

function show_exits(exits) {
	return show.table([ _('Exit'), _('Address'), _('State'), _('Answers in'), _('Sessions'), _('Last failure') ],
		(exits.exits || []).map(function(exit) {
			return [ exit.name, exit.address, show.badge(exit.state),
				exit.rtt_s ? '%.0f ms'.format(exit.rtt_s * 1000) : '', exit.sessions.active,
				exit.last_failure ? _('%s, %s ago').format(exit.last_failure,
					show.duration(exit.last_failure_age_s)) : '' ];
		}), exits.error || _('No exits: destinations are connected to directly.'));
}

function subflow_row(subflow) {
	return [ subflow.leg, subflow.link, subflow.local, subflow.remote, show.badge(subflow.state),
		'%.0f ms'.format(subflow.rtt_us / 1000),
		show.bytes(subflow.bytes_received), show.bytes(subflow.bytes_sent), subflow.retransmissions ];
}

function show_subflows(known) {
	return show.table([ _('Leg'), _('Link'), _('From'), _('To'), _('State'), _('RTT'), _('Received'), _('Sent'),
		_('Sent again') ], (known.subflows || []).map(subflow_row), known.error || _('Plain TCP.'));
}

function toggle(id, redraw) {
	if (opened[id]) {
		delete opened[id];
		return redraw();
	}
	return calls.session(id).then(function(known) {
		opened[id] = known;
		redraw();
	});
}

function links_button(session, redraw) {
	return E('button', {
		'class': 'btn cbi-button', 'aria-expanded': opened[session.id] ? 'true' : 'false',
		'click': ui.createHandlerFn(this, toggle, session.id, redraw)
	}, [ opened[session.id] ? _('Hide') : _('Show') ]);
}

function show_sessions(sessions, redraw) {
	var list = sessions.sessions || [];
	var parts = [ show.table([ _('Client'), _('Destination'), _('Exit'), _('By'), _('Down'), _('Up'), _('Age'),
		_('Links') ], list.map(function(session) {
		return [ session.client, session.destination, session.exit,
			session.upstream_transport + ' × ' + session.upstream_subflows,
			show.bytes(session.bytes_down), show.bytes(session.bytes_up), show.duration(session.age_s),
			links_button(session, redraw) ];
	}), sessions.error || _('No sessions.')) ];

	if (sessions.count > list.length)
		parts.push(E('em', {}, [ _('The %d of %d that moved bytes last.').format(list.length, sessions.count) ]));
	list.forEach(function(session) {
		if (opened[session.id])
			parts.push(E('h4', {}, [ session.client + ' → ' + session.destination ]),
				show_subflows(opened[session.id]));
	});
	return E('div', {}, parts);
}

function show_events(events) {
	return show.table([ _('Time'), _('Link'), _('Event') ],
		(events.events || []).slice(-EVENTS).reverse().map(function(event) {
			return [ show.date(event.time), event.link, event.event ];
		}), events.error || _('Nothing has happened yet.'));
}

function doctor_head(doctor) {
	if (doctor.running)
		return E('p', { 'class': 'spinning' }, [ _('The check is running…') ]);
	if (!doctor.time)
		return E('span');
	return E('p', {}, [ doctor.verdict ? show.badge(doctor.verdict) : '', ' ', show.date(doctor.time) ]);
}

function speed_text(figure) {
	if (!figure)
		return '';
	return figure.yielded ? _('in use by others') : show.rate(figure.bits_per_s / 8);
}

/* What stood in its way, and what was beside it. */
function speed_notes(row) {
	var notes = row.said ? [ row.said ] : [];

	[ [ _('Down'), row.download ], [ _('Up'), row.upload ] ].forEach(function(pair) {
		var figure = pair[1];

		if (figure && (figure.yielded || figure.others_bits_per_s > 0.02 * figure.bits_per_s))
			notes.push(_('%s: others moved %s').format(pair[0], show.rate(figure.others_bits_per_s / 8)));
	});
	return notes.join('; ');
}

function latency_text(of) {
	var latency = of && of.latency;

	return latency ? '%.0f ms'.format(latency.median_ms) : '';
}

function show_speed(speed) {
	var last = speed.last;

	if (speed.running)
		return E('p', { 'class': 'spinning' }, [ '%d %%: %s'.format(speed.done * 100, speed.doing) ]);
	if (!last)
		return E('em', {}, [ speed.error || _('Not measured yet.') ]);
	return E('div', {}, [
		show.table([ _('Link'), _('Down'), _('Up'), _('Latency'), _('while loaded down'), _('while loaded up'),
			_('Note') ], last.links.map(function(row) {
			return [ row.together ? _('all together') : row.name, speed_text(row.download),
				speed_text(row.upload), latency_text(row), latency_text(row.download),
				latency_text(row.upload), speed_notes(row) ];
		}), ''),
		E('p', {}, [ _('By exit %s, %s').format(last.exit, show.date(last.time)) +
			(last.said ? ': ' + last.said : '') ])
	]);
}

function ask_all() {
	return Promise.all([ calls.status(), calls.links(), calls.exits(), calls.sessions(SESSIONS), calls.events(),
		calls.doctor(), calls.speedtest() ].concat(Object.keys(opened).map(function(id) {
		return calls.session(+id).then(function(known) {
			if (known.error)
				delete opened[id];
			else if (opened[id])
				opened[id] = known;
		});
	})));
}

return view.extend({
	load: ask_all,

	render: function(first) {
		var parts = {};
		var shown = null;
		var section = function(name, title, extra) {
			parts[name] = E('div');
			return E('div', { 'class': 'cbi-section' }, [ E('h3', {}, [ title ]), parts[name] ].concat(extra || []));
		};
		var update = function(answers) {
			var status = answers[0];
			var redraw = function() {
				show.replace(parts.sessions, [ show_sessions(answers[3], redraw) ]);
			};

			show.replace(parts.overview, show.faults(status).concat(status.error ? [] : [ overview(status) ]));
			show.replace(parts.links, [ show_links(answers[1]) ]);
			show.replace(parts.exits, [ show_exits(answers[2]) ]);
			redraw();
			show.replace(parts.events, [ show_events(answers[4]) ]);
			if (JSON.stringify(answers[5]) != shown) /* else what is unfolded would fold */
				show.replace(parts.doctor, [ doctor_head(answers[5]), show.show_doctor(answers[5]) ]);
			shown = JSON.stringify(answers[5]);
			show.replace(parts.speed, [ show_speed(answers[6]) ]);
		};
		var speed_button = function(title, call) {
			return E('button', {
				'class': 'btn cbi-button cbi-button-action',
				'click': ui.createHandlerFn(this, function() {
					return call().then(function(answer) {
						if (answer.error)
							ui.addNotification(null, E('p', {}, [ answer.error ]));
						return ask_all().then(update);
					});
				})
			}, [ title ]);
		};
		var page = E('div', {}, [
			E('h2', {}, [ 'Hawser' ]),
			section('overview', _('Overview')),
			section('links', _('Links')),
			section('exits', _('Exits')),
			section('speed', _('Speed test'), [
				speed_button(_('Measure now'), function() { return calls.speedtest_run(); }), ' ',
				speed_button(_('Stop'), function() { return calls.speedtest_stop(); })
			]),
			section('sessions', _('Sessions')),
			section('events', _('Events')),
			section('doctor', _('Check'), E('button', {
				'class': 'btn cbi-button cbi-button-action',
				'click': ui.createHandlerFn(this, function() {
					return calls.doctor_run().then(ask_all).then(update);
				})
			}, [ _('Check now') ]))
		]);

		update(first);
		poll.add(function() { return ask_all().then(update); }, POLL_S);
		return page;
	},

	handleSaveApply: null,
	handleSave: null,
	handleReset: null
});
