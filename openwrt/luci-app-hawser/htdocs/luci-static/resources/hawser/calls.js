/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ubus object of hawser.uc. */
'use strict';
'require baseclass';
'require rpc';

function declare(method, params) {
	return rpc.declare({ object: 'hawser', method: method, params: params || [], expect: { '': {} } });
}

return baseclass.extend({
	status: declare('status'),
	links: declare('links'),
	exits: declare('exits'),
	events: declare('events'),
	sessions: declare('sessions', [ 'limit' ]),
	session: declare('session', [ 'id' ]),
	doctor: declare('doctor'),
	doctor_run: declare('doctor_run'),
	speedtest: declare('speedtest'),
	speedtest_run: declare('speedtest_run'),
	speedtest_stop: declare('speedtest_stop'),
	reload: declare('reload')
});
