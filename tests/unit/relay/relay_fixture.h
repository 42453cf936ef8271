/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For tests of a relay: one between two connections over loopback, with a worker's means. */
#ifndef HAWSER_RELAY_FIXTURE_H
#define HAWSER_RELAY_FIXTURE_H

#include "relay/relay.h"

#include "../accel/sockmap_fixture.h"
#include "config/config.h"

struct relay_fixture {
	struct relay_env env;
	struct relay relay;
	struct relay_counters counters;
	struct relay_config config;
	int client; /* far ends */
	int server;
};

static inline void relay_fixture_open(struct relay_fixture *fixture, relay_notify_fn *notify)
{
	struct relay *relay = &fixture->relay;

	memset(fixture, 0, sizeof(*fixture));
	fixture->env.loop = ev_loop_new(EVBACKEND_EPOLL);
	fixture->env.counters = &fixture->counters;
	assert_int_equal(io_buffers_init(&fixture->env.buffers), 0);
	assert_int_equal(hangup_init(&fixture->env.hangup, fixture->env.loop), 0);
	assert_int_equal(tick_init(&fixture->env.ticker, fixture->env.loop), 0);
	poller_init(&fixture->env.poller, fixture->env.loop);
	fixture->config.tune = tune_default;
	relay_init(relay, &fixture->env, notify);
	assert_true(fixture_connect(IPPROTO_TCP, &relay->client.fd, &fixture->client));
	assert_true(fixture_connect(IPPROTO_TCP, &relay->server.fd, &fixture->server));
}

static inline void relay_fixture_close(struct relay_fixture *fixture)
{
	relay_stop(&fixture->relay);
	hangup_fini(&fixture->env.hangup);
	tick_fini(&fixture->env.ticker);
	io_buffers_fini(&fixture->env.buffers);
	ev_loop_destroy(fixture->env.loop);
	close(fixture->relay.client.fd);
	close(fixture->relay.server.fd);
	close(fixture->client);
	close(fixture->server);
}

#endif
