/* SPDX-License-Identifier: GPL-2.0-or-later */
'use strict';
'require view';
'require form';
'require network';
'require uci';
'require ui';
'require hawser.calls as calls';
'require hawser.show as show';

/* As "hawser exit-setup" prints it. */
var LINE = /^(?:hawser exit-add\s+)?hawser:\/\/([A-Za-z0-9._-]+):([A-Za-z0-9_-]+)@(\[[0-9A-Fa-f:.]+\]|[^:\/\s\[\],]+|[0-9.]+,\[[0-9A-Fa-f:.]+\]|\[[0-9A-Fa-f:.]+\],[0-9.]+):([0-9]+)\/([A-Za-z0-9._:\[\]-]+)$/;
var TOKEN = /^([A-Za-z0-9._-]+) ([A-Za-z0-9_-]+)$/;
var TOKEN_NAME_MAX = 64;
var KEY_CHARS = 43;
var EXIT_NAME_MAX = 255;
var PORT_MAX = 65535;
var LOOK_S = 2;
var LOOKS_MAX = 60;
var NOTHING_NEW = 5; /* of ubus: no data */
var ROLES = [ 'primary', 'shared', 'backup', 'metered', 'off' ];

function is_token(name, key) {
	return name.length <= TOKEN_NAME_MAX && key.length == KEY_CHARS;
}

/* What the line says of an exit, or null. */
function parse_line(line) {
	var parts = line.match(LINE);
	var token = line.match(TOKEN);

	if (parts && is_token(parts[1], parts[2]) && parts[4] >= 1 && parts[4] <= PORT_MAX &&
	    parts[5].length <= EXIT_NAME_MAX)
		return {
			name: parts[5], address: parts[3].replace(/[\[\]]/g, ''),
			port: parts[4], token: parts[1] + ' ' + parts[2]
		};
	return token && is_token(token[1], token[2]) ? { name: 'vps', token: line } : null;
}

/* A name as sections have it. */
function section_name(name) {
	return name.toLowerCase().replace(/[^a-z0-9_]/g, '_');
}

function first(type) {
	var found = uci.sections('hawser', type)[0];

	return found ? found['.name'] : uci.add('hawser', type, type);
}

function is_yes(value) {
	return /^(1|yes|on|true|enabled)$/.test(value || '');
}

function links_by_interface() {
	var found = {};

	uci.sections('hawser', 'link', function(section) {
		found[section.interface || section['.name']] = section;
	});
	return found;
}

/* Those that lead outside: with a default route, or links already. */
function candidates(networks, wans) {
	var known = links_by_interface();
	var outside = wans.map(function(wan) { return wan.getName(); });

	return networks.map(function(one) { return one.getName(); }).filter(function(name) {
		return name != 'loopback' && (known[name] || outside.indexOf(name) >= 0 || /^w+an/.test(name));
	});
}

function collect(names) {
	var known = links_by_interface();
	var intercept = uci.sections('hawser', 'intercept')[0] || {};
	var data = { exit: { line: '', address: '' }, lan: {
		up: is_yes(intercept.up) ? '1' : '0', interfaces: L.toArray(intercept.lan_interface || 'lan')
	} };

	names.forEach(function(name) {
		data['link_' + name] = { use: known[name] && known[name].enabled != '0' ? '1' : '0',
			role: known[name] && known[name].role || 'shared' };
	});
	return data;
}

function add_exit(map) {
	var section = map.section(form.NamedSection, 'exit', 'exit', _('1. The exit'),
		_('A machine with a good connection, through which all sessions go. It may be left out.'));
	var line = section.option(form.TextValue, 'line', _('Its line'),
		_('What "hawser exit-setup" printed there, or the line of "hawser token new".'));
	var address = section.option(form.Value, 'address', _('Its address'), _('Where the line does not say it.'));

	line.rows = 3;
	line.monospace = true;
	line.optional = true;
	line.validate = function(id, value) {
		return !value || parse_line(value.trim()) != null ||
			_('Expected hawser://TOKEN:KEY@HOST:PORT/NAME, or NAME KEY');
	};
	address.datatype = 'host';
	address.optional = true;
	address.validate = function(id, value) {
		var about = parse_line((line.formvalue(id) || '').trim());

		return !about || !!about.address || !!value || _('The line does not say it.');
	};
}

function add_links(map, names) {
	names.forEach(function(name, i) {
		var section = map.section(form.NamedSection, 'link_' + name, 'link', i == 0 ? _('2. The links') : null);
		var use = section.option(form.Flag, 'use', name);
		var role = section.option(form.ListValue, 'role', _('Role'));

		use.rmempty = false;
		ROLES.forEach(function(word) { role.value(word); });
		role.depends('use', '1');
	});
}

function add_lan(map, networks) {
	var section = map.section(form.NamedSection, 'lan', 'lan', _('3. The LAN'));
	var up = section.option(form.Flag, 'up', _('Take its connections'),
		_('Else clients must be told to use SOCKS or HTTP at port 1080 of this router.'));
	var interfaces = section.option(form.MultiValue, 'interfaces', _('Where clients are'));

	up.rmempty = false;
	networks.forEach(function(one) {
		if (one.getName() != 'loopback')
			interfaces.value(one.getName());
	});
	interfaces.depends('up', '1');
}

function keep_exit(data) {
	var about = parse_line((data.exit.line || '').trim());
	var id;

	if (!about)
		return;
	id = section_name(about.name);
	if (uci.get('hawser', id) != 'exit')
		id = uci.get('hawser', id) ? uci.add('hawser', 'exit') : uci.add('hawser', 'exit', id);
	uci.set('hawser', id, 'name', about.name);
	uci.set('hawser', id, 'address', about.address || data.exit.address);
	uci.set('hawser', id, 'port', about.port);
	uci.set('hawser', id, 'token', about.token);
}

function keep_links(data, names) {
	var known = links_by_interface();

	names.forEach(function(name) {
		var wish = data['link_' + name];
		var id = known[name] ? known[name]['.name'] : null;

		if (!id && wish.use != '1')
			return;
		id = id || uci.add('hawser', 'link', uci.get('hawser', name) ? null : name);
		if (!uci.get('hawser', id, 'device'))
			uci.set('hawser', id, 'interface', name);
		uci.set('hawser', id, 'enabled', wish.use == '1' ? null : '0');
		if (wish.use == '1')
			uci.set('hawser', id, 'role', wish.role);
	});
}

function keep_lan(data) {
	var id = first('intercept');

	uci.set('hawser', id, 'up', data.lan.up);
	if (data.lan.up == '1')
		uci.set('hawser', id, 'lan_interface', L.toArray(data.lan.interfaces));
}

function wait_for_doctor(looks) {
	return calls.doctor().then(function(doctor) {
		if (!doctor.running || looks >= LOOKS_MAX)
			return doctor;
		return new Promise(function(resolve) {
			window.setTimeout(resolve, LOOK_S * 1000);
		}).then(function() { return wait_for_doctor(looks + 1); });
	});
}

/* Saved, made known to hawserd, and looked at. */
function finish(map, data, names, result) {
	return map.save(null, true).then(function() {
		keep_exit(data);
		keep_links(data, names);
		keep_lan(data);
		return uci.save();
	}).then(function() {
		return uci.apply().catch(function(code) {
			return code == NOTHING_NEW ? null : Promise.reject(code);
		});
	}).then(function() {
		show.replace(result, [ E('p', { 'class': 'spinning' }, [ _('Checking…') ]) ]);
		return calls.reload();
	}).then(function(reload) {
		if (reload.error) {
			show.replace(result, show.faults(reload));
			return null;
		}
		return calls.doctor_run().then(function() {
			return wait_for_doctor(0);
		}).then(function(doctor) {
			show.replace(result, show.faults(reload).concat([ show.show_doctor(doctor) ]));
		});
	}).then(function() {
		return ui.changes.init();
	}).catch(function(error) {
		show.replace(result, [ show.warning(error && error.message || String(error)) ]);
	});
}

return view.extend({
	load: function() {
		return Promise.all([ network.getNetworks(), network.getWANNetworks(), network.getWAN6Networks(),
			uci.load('hawser') ]);
	},

	render: function(answers) {
		var names = candidates(answers[0], answers[1].concat(answers[2]));
		var data = collect(names);
		var map = new form.JSONMap(data, _('Set-up of Hawser'));
		var result = E('div', { 'class': 'cbi-section' });

		add_exit(map);
		add_links(map, names);
		add_lan(map, answers[0]);
		return map.render().then(function(node) {
			return E('div', {}, [ node, E('div', { 'class': 'cbi-page-actions' }, [
				E('button', {
					'class': 'btn cbi-button cbi-button-apply',
					'click': ui.createHandlerFn(this, finish, map, data, names, result)
				}, [ _('Save, and check') ])
			]), result ]);
		});
	},

	handleSaveApply: null,
	handleSave: null,
	handleReset: null
});
