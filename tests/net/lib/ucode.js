/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stands in for ucode, whose language is almost this one: what hawser.uc uses of it, of a world that
 * is given. plugin(source, world) is what rpcd would take: world.files {path: text}, world.pieces that
 * hawserd answers in (null: it is silent), world.control (the path in its settings), world.results of
 * system(), in turn; world.did is what was done. */
'use strict';
function plugin(source, world) {
	let now_ms = 1000;
	const modules = {
		fs: {
			access: (path) => path in world.files, mkdir: (path) => { world.did.push([ 'mkdir', path ]); },
			readfile: (path) => path in world.files ? world.files[path] : null,
			stat: (path) => path in world.files ? { mtime: 42 } : null
		},
		socket: {
			AF_UNIX: 1, SOCK_STREAM: 1, SOCK_CLOEXEC: 2, MSG_DONTWAIT: 4, MSG_NOSIGNAL: 8, POLLIN: 1,
			create: () => ({
				connect: (to) => { world.did.push([ 'connect', to.path ]); return world.pieces ? true : null; },
				send: (text) => { world.did.push([ 'send', text ]); return text.length; },
				recv: () => world.pieces.shift(), close: () => { world.did.push([ 'close' ]); }
			}),
			poll: (timeout, [ connection ]) => {
				now_ms += 100;
				if (world.pieces.length && world.pieces[0] !== null)
					return [ [ connection, 1 ] ];
				now_ms += timeout;
				return [ [ connection, 0 ] ];
			}
		},
		uci: { cursor: () => ({
			load: () => true,
			foreach: (config, type, each) => { [ { control: world.control } ].forEach(each); }
		}) }
	};
	const builtins = {
		length: (of) => of == null ? null : of.length, ord: (text, at) => text.charCodeAt(at),
		push: (list, item) => { list.push(item); return item; }, split: (text, by) => text.split(by),
		match: (text, form) => text.match(form), trim: (text) => text == null ? null : text.trim(),
		index: (text, part) => text.indexOf(part), int: (number) => Math.trunc(number),
		clock: () => [ Math.floor(now_ms / 1000), now_ms % 1000 * 1000000 ],
		sprintf: (form, value) => form.replace('%J', JSON.stringify(value)), json: (text) => JSON.parse(text),
		system: (command, timeout) => {
			world.did.push([ 'system', command, timeout || null ]);
			return world.results.shift();
		}
	};
	const given = { ...builtins };
	/* A loop over a list gives its items there, and what begins with 0 is octal. */
	const text = source.replace(/^import \{ (.+) \} from '(\w+)';$/gm, (all, names, from) => {
		for (const name of names.split(', ')) {
			if (!(name in modules[from]))
				throw new Error(`${from} has no ${name}`);
			given[name] = modules[from][name];
		}
		return '';
	}).replace(/\bfor \(let (\w+) in /g, 'for (let $1 of ').replace(/\b0([0-7]+)\b/g, '0o$1');

	return new Function(...Object.keys(given), text)(...Object.values(given)).hawser;
}

function ask(source, world, method, args) {
	world.did = [];
	return { answer: plugin(source, world)[method].call({ args: args || {} }), did: world.did };
}
