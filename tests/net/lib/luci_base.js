/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stands in for what a page of luci-app-hawser uses of luci-base, in a browser: forms that are filled
 * in and checked, and rpcd asked by JSON-RPC. Ids are as LuCI's. <body data-view="…"> names the page. */
'use strict';
(function() {
const modules = {}, SESSION = '0'.repeat(32);
let asked = 0, pending = {}, config = {}, added = 0;

String.prototype.format = function(...values) {
	return this.replace(/%(?:\.\d+)?[sdf]/g, () => String(values.shift()));
};
window._ = (text) => text;
window.L = { toArray: (one) => one == null ? [] : Array.isArray(one) ? one : String(one).split(/\s+/) };

window.E = function(name, attributes, children) {
	const node = document.createElement(name);

	for (const [key, value] of Object.entries(attributes || {})) {
		if (typeof value == 'function')
			node.addEventListener(key, value);
		else if (value != null)
			node.setAttribute(key, value);
	}
	for (const child of children || [])
		node.append(child);
	return node;
};

window.cbi_update_table = function(table, rows, placeholder) {
	for (const row of rows)
		table.append(E('tr', { 'class': 'tr' }, row.map((cell) => E('td', { 'class': 'td' }, [ cell ]))));
	if (rows.length == 0)
		table.append(placeholder);
};

async function call(object, method, args) {
	const response = await fetch('/ubus', { method: 'POST', headers: { 'Content-Type': 'application/json' },
		body: JSON.stringify({ jsonrpc: '2.0', id: ++asked, method: 'call',
			params: [ SESSION, object, method, args ] }) });
	const answer = await response.json();

	if (answer.error)
		throw new Error(`${object}.${method}: ${answer.error.message}`);
	return answer.result;
}

async function ubus(object, method, args) {
	const [ code, data ] = await call(object, method, args);

	if (code)
		throw new Error(`${object}.${method}: ubus code ${code}`);
	return data || {};
}

const rpc = {
	declare: (about) => (...values) => ubus(about.object, about.method,
		Object.fromEntries(about.params.map((name, i) => [ name, values[i] ])))
};

/* What is changed is sent by save(), and in force after apply(). */
const uci = {
	load: async (name) => { config = (await ubus('uci', 'get', { config: name })).values; },
	sections: function(name, type, each) {
		const found = Object.values(config).filter((section) => section['.type'] == type);

		found.forEach(each || (() => {}));
		return found;
	},
	get: (name, id, option) => option ? config[id] && config[id][option] : config[id] && config[id]['.type'] || null,
	add: function(name, type, id) {
		const made = id || `new${++added}`;

		config[made] = { '.type': type, '.name': made, '.anonymous': !id };
		pending[made] = { type, name: id, values: {} };
		return made;
	},
	set: function(name, id, option, value) {
		pending[id] = pending[id] || { values: {} };
		pending[id].values[option] = value;
		if (value == null)
			delete config[id][option];
		else
			config[id][option] = value;
	},
	save: async function() {
		const changes = Object.entries(pending);

		pending = {};
		for (const [ id, change ] of changes) {
			const all = Object.entries(change.values);
			const values = Object.fromEntries(all.filter(([ , value ]) => value != null));
			const gone = all.filter(([ , value ]) => value == null).map(([ name ]) => name);

			if (change.type)
				await ubus('uci', 'add', { config: 'hawser', type: change.type, name: change.name, values });
			else if (Object.keys(values).length)
				await ubus('uci', 'set', { config: 'hawser', section: id, values });
			if (!change.type && gone.length)
				await ubus('uci', 'delete', { config: 'hawser', section: id, options: gone });
		}
	},
	apply: async function() {
		const [ code ] = await call('uci', 'apply', { rollback: true, timeout: 90 });

		if (code)
			throw code;
	}
};

class Option {
	constructor(section, widget, name, title) {
		Object.assign(this, { section, widget, name, title, words: [], needs: [] });
	}
	get id() { return `widget.cbid.json.${this.section.name}.${this.name}`; }
	value(word, label) { this.words.push([ word, label || word ]); }
	depends(name, value) { this.needs.push([ name, value ]); }
	get active() {
		return this.needs.every(([ name, value ]) =>
			this.section.options.find((one) => one.name == name).formvalue() == value);
	}
	formvalue() {
		const node = document.getElementById(this.id);

		if (this.widget == 'Flag')
			return node.checked ? '1' : '0';
		if (this.widget == 'MultiValue')
			return [ ...node.querySelectorAll('input:checked') ].map((box) => box.value);
		return node.value;
	}
	draw(data) {
		const value = data[this.section.name][this.name], attributes = { id: this.id };

		switch (this.widget) {
		case 'Flag':
			return E('input', { ...attributes, type: 'checkbox', checked: value == '1' ? '' : null });
		case 'ListValue':
			return E('select', attributes, this.words.map(([ word, label ]) =>
				E('option', { value: word, selected: word == value ? '' : null }, [ label ])));
		case 'MultiValue':
			return E('span', attributes, this.words.map(([ word, label ]) => E('label', {}, [
				E('input', { type: 'checkbox', value: word, checked: value.includes(word) ? '' : null }), label ])));
		case 'TextValue':
			return E('textarea', attributes, [ value || '' ]);
		}
		return E('input', { ...attributes, value: value || '' });
	}
	check() {
		const value = this.formvalue(), said = this.validate ? this.validate(this.section.name, value) : true;

		if (said !== true)
			throw new TypeError(`Option "${this.title}" contains an invalid input value. ${said}`);
		return value;
	}
}

class JSONMap {
	constructor(data, title) { Object.assign(this, { data, title, sections: [] }); }
	section(widget, name, type, title) {
		const options = [], made = { name, title, options };

		made.option = (kind, option, label) => {
			if (!kind)
				throw new Error(`no widget for ${option}`);
			options.push(new Option(made, kind, option, label));
			return options[options.length - 1];
		};
		this.sections.push(made);
		return made;
	}
	each(visit) { this.sections.forEach((section) => section.options.forEach(visit)); }
	show() { this.each((option) => { document.getElementById(option.id).parentNode.hidden = !option.active; }); }
	async render() {
		const node = E('div', { change: () => this.show() }, this.sections.map((section) =>
			E('fieldset', {}, [ E('h3', {}, [ section.title || '' ]), ...section.options.map((option) =>
				E('div', {}, [ E('label', { 'for': option.id }, [ option.title ]), option.draw(this.data) ])) ])));

		setTimeout(() => this.show());
		return node;
	}
	async save() {
		this.each((option) => {
			if (option.active)
				this.data[option.section.name][option.name] = option.check();
			else
				delete this.data[option.section.name][option.name];
		});
	}
}

const form = { JSONMap };
for (const kind of [ 'NamedSection', 'Flag', 'ListValue', 'Value', 'TextValue', 'MultiValue' ])
	form[kind] = kind;

async function networks(way) {
	const { 'interface': all } = await ubus('network.interface', 'dump', {});

	return all.filter((one) => !way || (one.route || []).some((route) => route.target == way && route.mask == 0))
		.map((one) => ({ getName: () => one['interface'] }));
}

const base = {
	baseclass: { extend: (methods) => methods }, view: { extend: (methods) => methods }, form, rpc, uci,
	network: { getNetworks: () => networks(), getWANNetworks: () => networks('0.0.0.0'),
		getWAN6Networks: () => networks('::') },
	ui: {
		changes: { init: async () => {} },
		createHandlerFn: (self, handler, ...words) => async function(event) {
			event.currentTarget.disabled = true;
			await handler.apply(self, words);
			event.target.disabled = false;
		}
	}
};

/* As luci.js does: the directives at the head name what the rest is given. */
async function load(name) {
	if (base[name] || modules[name])
		return base[name] || modules[name];
	const source = await (await fetch(`/luci-static/resources/${name.replace(/\./g, '/')}.js`)).text();
	const names = [], values = [];

	for (const directive of source.match(/^'require .+';$/gm) || []) {
		const words = directive.slice(1, -2).split(' ');

		names.push(words[3] || words[1]);
		values.push(await load(words[1]));
	}
	modules[name] = new Function(...names, source)(...values);
	return modules[name];
}

window.addEventListener('DOMContentLoaded', async function() {
	const page = await load(document.body.dataset.view);

	document.body.append(await page.render(await page.load()));
});
})();
