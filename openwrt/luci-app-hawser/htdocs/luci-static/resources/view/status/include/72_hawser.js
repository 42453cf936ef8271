/* SPDX-License-Identifier: GPL-2.0-or-later */
'use strict';
'require baseclass';
'require hawser.calls as calls';
'require hawser.show as show';

return baseclass.extend({
	title: 'Hawser',

	load: function() {
		return Promise.all([ calls.status(), calls.links() ]);
	},

	render: function(answers) {
		var status = answers[0];
		var faults = show.faults(status);

		if (status.error)
			return E('div', {}, faults);
		return E('div', {}, faults.concat([
			show.table([ _('Link'), _('State'), _('Down'), _('Up') ], (answers[1].links || []).map(function(link) {
				return [ link.name, show.badge(link.state), show.rate(link.rate_1s.rx), show.rate(link.rate_1s.tx) ];
			}), _('No links are set up.')),
			E('p', {}, [ _('%d sessions, ').format(status.sessions.active),
				E('a', { 'href': L.url('admin/services/hawser/status') }, [ _('more…') ]) ])
		]));
	}
});
