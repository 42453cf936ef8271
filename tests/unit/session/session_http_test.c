/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sessions of plain HTTP between two sockets: when there is no memory, and what their legs count
 * once bytes are bytes. The linker puts __wrap_realloc() and __wrap_socket_received_bytes() in
 * place of the real ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../accel/sockmap_fixture.h"
#include "proto/handshake_private.h"
#include "session/opening.h"
#include "session/session_http.h"
#include "session/session_http_private.h"
#include "upstream/upstream.h"

static struct session_env env;
static bool no_memory;
static uint64_t received_bytes;

void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);
uint64_t __wrap_socket_received_bytes(int fd);

void *__wrap_realloc(void *old, size_t size)
{
	return no_memory ? NULL : __real_realloc(old, size);
}

uint64_t __wrap_socket_received_bytes(int fd)
{
	(void)fd;
	return received_bytes;
}

static int set_up(void **state)
{
	(void)state;
	env = (struct session_env){.next_id = 1, .id_step = 1, .doorway.max = 8};
	env.relay.loop = ev_loop_new(EVBACKEND_EPOLL);
	env.relay.counters = &env.stats.relay;
	env.relay.first_byte = &env.stats.first_byte;
	assert_int_equal(io_buffers_init(&env.relay.buffers), 0);
	assert_int_equal(hangup_init(&env.relay.hangup, env.relay.loop), 0);
	assert_int_equal(tick_init(&env.relay.ticker, env.relay.loop), 0);
	poller_init(&env.relay.poller, env.relay.loop);
	heap_init(&env.heap, env.relay.loop);
	env.config = config_new();
	assert_non_null(env.config);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	no_memory = false;
	session_end_all(&env, CAUSE_NONE);
	heap_fini(&env.heap);
	hangup_fini(&env.relay.hangup);
	tick_fini(&env.relay.ticker);
	io_buffers_fini(&env.relay.buffers);
	config_put(env.config);
	ev_loop_destroy(env.relay.loop);
	return 0;
}

/* One whose client waits for its next request; *far is the client's end. */
static struct session *begin(int *far)
{
	const struct listen_config listen = {0};
	struct handed_on handed_on = {0};
	union address client;
	struct session *session;
	int fd = -1;

	assert_int_equal(address_parse("127.0.0.1:1", &client), 0);
	assert_true(fixture_connect(IPPROTO_TCP, &fd, far));
	session_start(&env, fd, &client, &listen, &handed_on);
	session = env.sessions;
	assert_non_null(session);
	http_proxy_next(&session->opening->handshake);
	opening_drop(session->opening, 0);
	session->protocol = PROTOCOL_HTTP;
	session_watch_client(session);
	session->state = SESSION_EXCHANGING;
	return session;
}

static void run(void)
{
	for (int i = 0; i < 10; i++)
		ev_run(env.relay.loop, EVRUN_NOWAIT);
}

static void want_of_memory_refuses_a_client_that_waited(void **state)
{
	static const char request[] = "GET http://a/ HTTP/1.1\r\n\r\n";
	struct session *other, *session;
	int far = -1, far_of_other = -1;
	char answer[1024];
	ssize_t n;

	(void)state;
	other = begin(&far_of_other);
	session_await_request(other);
	session = begin(&far);
	session_await_request(session);
	assert_int_equal(send(far, request, strlen(request), 0), strlen(request));
	no_memory = true;
	run();
	no_memory = false;
	assert_int_equal(session->state, SESSION_REFUSING);
	assert_int_equal(session->cause, CAUSE_RESOURCES);
	n = recv(far, answer, sizeof(answer), MSG_DONTWAIT);
	assert_true(n > 12);
	assert_memory_equal(answer, "HTTP/1.1 503", 12);
	assert_int_equal(other->state, SESSION_WAITING);
	close(far);
	run();
	assert_int_equal(env.stats.ended[CAUSE_RESOURCES], 1);
	assert_int_equal(env.stats.sessions_active, 1);
	close(far_of_other);
}

/* There is a connection to an origin, over which nothing has come yet. */
static void connect_origin(struct session *session, uint64_t taken, int *far)
{
	struct dial_result result = {.transport = TRANSPORT_FALLBACK, .taken = taken};

	assert_true(fixture_connect(IPPROTO_TCP, &result.fd, far));
	session_drop_server(session);
	session->state = SESSION_CONNECTING;
	session_connected(session, &result);
	assert_int_equal(session->state, SESSION_EXCHANGING);
}

static bool lost(const struct session *session, enum direction from, uint64_t received)
{
	const struct relay *relay = &session->relay;

	received_bytes = received;
	return leg_lost_bytes(from == UP ? &relay->client : &relay->server, &relay->flows[from]);
}

/* 500 bytes of heads were 420 as they went on, 7 came behind them; 1000 came from another origin,
 * 20 of an exit's answers and 30 of a response from this one. */
static void a_tunnel_counts_what_its_sockets_have_brought(void **state)
{
	struct session *session;
	struct relay *relay;
	int far = -1, far_server = -1;

	(void)state;
	session = begin(&far);
	relay = &session->relay;
	session->http = calloc(1, sizeof(*session->http));
	assert_non_null(session->http);
	session->http->client.data = session->http->server.data = session;
	ev_init(&session->http->client, NULL);
	ev_init(&session->http->server, NULL);
	relay->flows[UP].bytes = 420;
	relay->flows[DOWN].bytes = 1000;
	connect_origin(session, 20, &far_server);
	relay->flows[DOWN].bytes += 30;
	assert_int_equal(opening_put_back(session->opening, "message", 7), 0);
	session->opening->received = 507;
	relay->client.transport = relay->server.transport = TRANSPORT_FALLBACK;
	session_tunnel(session, (const uint8_t *)"HTTP", 4);
	assert_int_equal(session->state, SESSION_RELAYING);
	relay->client.transport = relay->server.transport = TRANSPORT_FALLBACK;
	assert_int_equal(relay->flows[UP].bytes, 427);
	/* The end of the stream may count as one more. */
	assert_false(lost(session, UP, 508));
	assert_true(lost(session, UP, 509));
	assert_false(lost(session, DOWN, 51));
	assert_true(lost(session, DOWN, 52));
	close(far);
	close(far_server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(want_of_memory_refuses_a_client_that_waited, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_tunnel_counts_what_its_sockets_have_brought,
						set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
