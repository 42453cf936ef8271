/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs LuCI's pages by mujs, with stand-ins for what they use of luci-base. Arguments: the directory of
 * resources, a view, and a file of {answers: {method: answer}, uci: [sections], line: of an exit}. Prints
 * JSON: the calls that are declared and made, the options of forms, what a wizard sets when it is given a
 * line, and the text that the page shows. */
var root = scriptArgs[0], view_name = scriptArgs[1], given = JSON.parse(read(scriptArgs[2]));
var result = { declared: {}, called: [], options: {}, polls: 0, set: {}, text: '' };
var modules = {};

/* Settled at once. A promise of a promise is that promise. */
function Settled(value) { this.value = value; }
Settled.prototype.then = function(next) {
	var value = next(this.value);
	return value instanceof Settled ? value : new Settled(value);
};
Settled.prototype['catch'] = function() { return this; };
var Promise = { all: function(list) {
	return new Settled(list.map(function(one) { return one instanceof Settled ? one.value : one; }));
} };

String.prototype.format = function() {
	var values = [].slice.call(arguments);
	return this.replace(/%(?:\.\d+)?[sdf]/g, function(all) {
		if (values.length == 0)
			throw new Error('no value for ' + all);
		var value = values.shift();
		if (!/s$/.test(all) && typeof value != 'number')
			throw new Error(all + ' of ' + value);
		if (value === undefined || value === null)
			throw new Error('nothing for ' + all);
		return String(value);
	});
};

function Element(name) { this.name = name; this.children = []; this.attributes = {}; }
Element.prototype = {
	get firstChild() { return this.children[0]; },
	appendChild: function(child) {
		if (child === undefined || child === null)
			throw new Error('nothing in ' + this.name);
		this.children.push(child);
	},
	removeChild: function(child) { this.children.splice(this.children.indexOf(child), 1); },
	setAttribute: function(name, value) {
		if (/NaN|undefined/.test(value))
			throw new Error(name + ' is ' + value);
		this.attributes[name] = value;
	}
};

function text_of(node) {
	return node instanceof Element ? node.children.map(text_of).join(' ') : String(node);
}

function E(name, attributes, children) {
	var element = new Element(name);
	element.attributes = attributes || {};
	(children || []).forEach(function(child) { element.appendChild(child); });
	return element;
}

function cbi_update_table(table, rows, placeholder) {
	rows.forEach(function(row) {
		row.forEach(function(cell) {
			if (!(cell instanceof Element))
				throw new Error('read as HTML: ' + cell);
		});
		table.appendChild(E('tr', {}, row));
	});
	if (rows.length == 0)
		table.appendChild(placeholder);
}

var document = { createElementNS: function(space, name) { return new Element(name); } };
var window = { setTimeout: function(next) { next(); } };
function _(text) { return text; }
var L = { url: function(path) { return '/' + path; }, toArray: function(one) { return [].concat(one); } };

function extend(methods) { return methods; }

var options = [];
function Section(type) { this.type = type; result.options[type] = result.options[type] || []; }
Section.prototype.option = function(widget, name) {
	if (!widget)
		throw new Error('no widget for ' + name);
	result.options[this.type].push(name);
	var option = { value: function() {}, depends: function() {}, formvalue: function() { return ''; } };
	options.push(option);
	return option;
};

function Map(data) { this.data = data; }
Map.prototype = {
	/* A named section is section(NamedSection, name, type). */
	section: function(widget, name, type) {
		return new Section(widget == form.NamedSection ? name : name);
	},
	save: function() { return new Settled(); },
	render: function() {
		if (given.line)
			this.data.exit.line = given.line;
		options.forEach(function(option) {
			if (option.modalonly === false)
				throw new Error('an option that cannot be edited');
		});
		return new Settled(E('form'));
	}
};

var form = { Map: Map, JSONMap: Map, GridSection: {}, TypedSection: {}, NamedSection: {}, Flag: {}, ListValue: {},
	Value: {}, TextValue: {}, DynamicList: {}, MultiValue: {} };
function networks() {
	return new Settled([ 'loopback', 'lan', 'wan' ].map(function(name) {
		return { getName: function() { return name; } };
	}));
}
var clicked; /* the button that was made last */
var base = {
	baseclass: { extend: extend }, view: { extend: extend }, form: form,
	poll: { add: function() { result.polls++; } },
	ui: {
		createHandlerFn: function(self, next) {
			var words = [].slice.call(arguments, 2);
			return clicked = function() { return next.apply(self, words); };
		},
		changes: { init: function() {} }
	},
	'tools.widgets': { NetworkSelect: {}, DeviceSelect: {} },
	network: { getNetworks: networks, getWANNetworks: networks, getWAN6Networks: networks },
	uci: {
		load: function() { return new Settled([]); },
		get: function() { return null; },
		set: function(config, section, name, value) { result.set[section + '.' + name] = value; },
		save: function() { return new Settled(); }, apply: function() { return new Settled(); },
		add: function(config, type, name) { given.uci.push({ '.type': type, '.name': name }); return name; },
		sections: function(config, type, each) {
			var found = given.uci.filter(function(section) { return section['.type'] == type; });
			found.forEach(each || function() {});
			return found;
		}
	},
	rpc: { declare: function(about) {
		result.declared[about.object + '.' + about.method] = about.params;
		return function() {
			if (arguments.length != about.params.length)
				throw new Error(about.method + ' takes ' + about.params.length);
			result.called.push(about.method);
			return new Settled(given.answers[about.method]);
		};
	} }
};

/* As luci.js does: the directives at the head name what the rest is given. */
function load(name) {
	if (base[name])
		return base[name];
	if (modules[name])
		return modules[name];
	var source = read(root + '/' + name.replace(/\./g, '/') + '.js');
	var names = [], values = [];
	(source.match(/^'require .+';$/gm) || []).forEach(function(directive) {
		var words = directive.slice(1, -2).split(' ');
		names.push(words[3] || words[1]);
		values.push(load(words[1]));
	});
	modules[name] = Function.apply(null, names.concat([ source ])).apply(null, values);
	return modules[name];
}

var page = load(view_name);
page.load().then(function(answers) {
	var shown = page.render(answers);
	(shown instanceof Settled ? shown : new Settled(shown)).then(function(node) {
		if (given.line)
			clicked();
		result.text = text_of(node);
	});
});
print(JSON.stringify(result));
