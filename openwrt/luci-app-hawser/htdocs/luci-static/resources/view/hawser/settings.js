/* SPDX-License-Identifier: GPL-2.0-or-later */
'use strict';
'require view';
'require form';
'require uci';
'require tools.widgets as widgets';
'require hawser.calls as calls';
'require hawser.options as options';
'require hawser.show as show';

var TIME = /^[0-9]+(\.[0-9]+)?(us|ms|s|m|h|d)?$/;
var AMOUNT = /^[0-9]+[KMGT]?$/;
var PLACE = /^[A-Za-z0-9._-]+$|^[0-9A-Fa-f.:\[\]]+(, *[0-9A-Fa-f.:\[\]]+)?$/;
var HOST_PORT = /^(\[[0-9A-Fa-f:.]+\]|[^:\s]+):([0-9]+)$/;

function says(test, expected) {
	return function(section, value) {
		return !value || test(value) || expected;
	};
}

function is_time(words) {
	return says(function(value) {
		return (words || []).indexOf(value) >= 0 || TIME.test(value);
	}, _('Expected a time, as 500ms, 10 or 1h'));
}

function is_endpoint(value) {
	var parts = value.match(HOST_PORT);

	return parts && parts[2] >= 1 && parts[2] <= 65535;
}

var check_endpoint = says(is_endpoint, _('Expected HOST:PORT, IPv6 addresses in brackets'));

function add_words(option, words, standard) {
	option.value('', _('default: %s').format(standard));
	words.forEach(function(word) { option.value(word); });
}

/* "yes" and "on" are as good as 1 in the file. */
function read_flag(section) {
	var value = uci.get('hawser', section, this.option);

	return /^(1|yes|on|true|enabled)$/.test(value) ? '1' :
		/^(0|no|off|false|disabled)$/.test(value) ? '0' : value;
}

function plain(datatype) {
	return function(option) { option.datatype = datatype; };
}

function hidden(option) {
	option.password = true;
}

/* By the kinds of hawser/options.js: the widget, and what makes it ready; more is what follows the title. */
var kinds = {
	flag: [ form.Flag, function(option, more) {
		option.default = more[0];
		option.cfgvalue = read_flag;
	} ],
	word: [ form.ListValue, function(option, more) { add_words(option, more[0], more[1]); } ],
	choice: [ form.Value, function(option, more) { add_words(option, more[0], more[1]); } ],
	number: [ form.Value, function(option, more) {
		option.datatype = 'and(uinteger,range(%d,%d))'.format(more[0], more[1]);
		if (more[2] != null)
			option.placeholder = String(more[2]);
	} ],
	constant: [ form.Value, function(option, more) {
		option.placeholder = String(more[0]);
		option.validate = is_time();
	} ],
	time: [ form.Value, function(option, more) {
		option.placeholder = more[0];
		option.validate = is_time(more[1]);
	} ],
	amount: [ form.Value, function(option) {
		option.placeholder = _('as 50M');
		option.validate = says(function(value) { return AMOUNT.test(value); },
			_('Expected a number, with K, M, G or T for thousands'));
	} ],
	text: [ form.Value, function() {} ],
	place: [ form.Value, function(option) {
		option.rmempty = false;
		option.validate = says(function(value) { return PLACE.test(value); },
			_('Expected a name, an address, or an IPv4 and an IPv6 address with a comma between them'));
	} ],
	file: [ form.Value, function(option, more) { option.placeholder = more[0]; } ],
	secret: [ form.Value, hidden ],
	secrets: [ form.DynamicList, function() {} ],
	endpoint: [ form.Value, function(option) { option.validate = check_endpoint; } ],
	endpoints: [ form.DynamicList, function(option) { option.validate = check_endpoint; } ],
	addresses: [ form.DynamicList, plain('ipaddr("nomask")') ],
	places: [ form.DynamicList, plain('or(ipaddr("nomask"),ipaddrport(1))') ],
	probes: [ form.DynamicList, plain('or("off",ipaddr("nomask"))') ],
	prefixes: [ form.DynamicList, plain('or(ipaddr,cidr)') ],
	ports: [ form.DynamicList, plain('or(port,portrange)') ],
	macs: [ form.DynamicList, plain('macaddr') ],
	names: [ form.DynamicList, plain('hostname') ],
	network: [ widgets.NetworkSelect, function(option) {
		option.nocreate = true;
	} ],
	networks: [ widgets.NetworkSelect, function(option) {
		option.multiple = true;
		option.nocreate = true;
	} ],
	device: [ widgets.DeviceSelect, function(option) {
		option.noaliases = true;
		option.nobridges = false;
		option.optional = true;
	} ],
	devices: [ widgets.DeviceSelect, function(option) {
		option.noaliases = true;
		option.multiple = true;
	} ]
};

function add_option(section, row, is_column) {
	var kind = kinds[row[1]];
	var option = section.option(kind[0], row[0], row[2]);

	option.rmempty = true;
	option.optional = true;
	option.modalonly = is_column ? null : true; /* false: in no dialogue */
	kind[1](option, row.slice(3));
}

function add_section(map, about) {
	var many = about.columns != null;
	var section = map.section(many ? form.GridSection : form.TypedSection, about.type, about.title);

	section.anonymous = !many;
	section.addremove = many;
	section.sortable = many;
	about.options.forEach(function(row, i) {
		add_option(section, row, !many || i < about.columns);
	});
}

/* Each is shown, also when the file does not have it yet; what stays empty is not written. */
function add_missing() {
	options.sections.forEach(function(about) {
		if (about.columns == null && uci.sections('hawser', about.type).length == 0)
			uci.add('hawser', about.type, about.type);
	});
}

return view.extend({
	load: function() {
		return Promise.all([ uci.load('hawser'), calls.status() ]);
	},

	render: function(answers) {
		var map = new form.Map('hawser', 'Hawser', _('hawser.conf(5) explains each setting.'));

		map.tabbed = true;
		add_missing();
		options.sections.forEach(function(about) { add_section(map, about); });
		return map.render().then(function(node) {
			return E('div', {}, show.faults(answers[1]).concat([ node ]));
		});
	}
});
