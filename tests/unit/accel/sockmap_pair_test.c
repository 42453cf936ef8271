/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which pairs stay in the sockmap when half of a direction's credit is used up; its flows are
 * played. */
#include "accel/sockmap_pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define BUDGET 65536U

static struct sockmap_flow *flows[2]; /* as they are prepared: up, down */
static uint64_t redirected[2];
static uint64_t segments[2];
static unsigned int topped_up[2];
static struct poller poller;
static struct sockmap_pair *pair;

static int index_of(const struct sockmap_flow *flow)
{
	return flow == flows[1];
}

int __wrap_sockmap_flow_enter(struct sockmap_flow *flow);
int __wrap_sockmap_flow_enter(struct sockmap_flow *flow)
{
	(void)flow;
	return 0;
}

uint32_t __wrap_sockmap_flow_top_up(struct sockmap_flow *flow);
uint32_t __wrap_sockmap_flow_top_up(struct sockmap_flow *flow)
{
	topped_up[index_of(flow)]++;
	return 0;
}

uint64_t __wrap_sockmap_flow_redirected(const struct sockmap_flow *flow);
uint64_t __wrap_sockmap_flow_redirected(const struct sockmap_flow *flow)
{
	return redirected[index_of(flow)];
}

uint64_t __wrap_sockmap_flow_segments(const struct sockmap_flow *flow);
uint64_t __wrap_sockmap_flow_segments(const struct sockmap_flow *flow)
{
	return segments[index_of(flow)];
}

void __wrap_sockmap_flow_release(struct sockmap_flow *flow);
void __wrap_sockmap_flow_release(struct sockmap_flow *flow)
{
	(void)flow;
}

int __wrap_sockmap_flow_prepare(struct sockmap_flow *up, struct sockmap_flow *down,
				struct sockmap_worker *worker, int client, int server,
				uint64_t session);
int __wrap_sockmap_flow_prepare(struct sockmap_flow *up, struct sockmap_flow *down,
				struct sockmap_worker *worker, int client, int server,
				uint64_t session)
{
	(void)worker;
	(void)client;
	(void)server;
	(void)session;
	*up = (struct sockmap_flow){.direction = HAWSER_UP, .budget = BUDGET};
	*down = (struct sockmap_flow){.direction = HAWSER_DOWN, .budget = BUDGET};
	flows[0] = up;
	flows[1] = down;
	return 0;
}

static int which; /* of the flows has the event */

void __wrap_sockmap_read_events(struct sockmap_worker *worker, sockmap_event_fn *handle);
void __wrap_sockmap_read_events(struct sockmap_worker *worker, sockmap_event_fn *handle)
{
	(void)worker;
	handle(flows[which], HAWSER_EVENT_LOW);
}

void __wrap_poller_start(struct poller *at, struct poll_watch *watch, double first_s, poll_fn *look,
			 void *owner);
void __wrap_poller_start(struct poller *at, struct poll_watch *watch, double first_s, poll_fn *look,
			 void *owner)
{
	(void)at;
	(void)watch;
	(void)first_s;
	(void)look;
	(void)owner;
}

static void on_pair(void *owner, enum sockmap_pair_event event)
{
	(void)owner;
	(void)event;
}

static int setup(void **state)
{
	static const struct tune tune = {.chat_bytes = 4096};

	(void)state;
	for (int i = 0; i < 2; i++)
		redirected[i] = segments[i] = topped_up[i] = 0;
	pair = sockmap_pair_new(&(struct sockmap_pair_request){
		.poller = &poller, .tune = &tune, .notify = on_pair});
	assert_non_null(pair);
	assert_int_equal(sockmap_pair_enter(pair), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	sockmap_pair_free(pair);
	return 0;
}

static void low(int flow)
{
	which = flow;
	sockmap_pair_read_events(NULL);
}

/* What was told before may be told again later, when more credit has been given since. That is no
 * sign of bulk, though there is no answer. */
static void told_again(void **state)
{
	(void)state;
	for (int flow = 0; flow < 2; flow++) {
		redirected[flow] = BUDGET / 2 - 1;
		low(flow);
		assert_int_equal(topped_up[flow], 1);
		assert_int_equal(topped_up[!flow], flow);
		assert_int_equal(sockmap_pair_state(pair), SOCKMAP_PAIR_IN);
	}
}

static void bulk_leaves(void **state)
{
	(void)state;
	redirected[0] = BUDGET / 2;
	segments[1] = BUDGET / 2 / (2 * 4096) - 1;
	low(0);
	assert_int_equal(sockmap_pair_state(pair), SOCKMAP_PAIR_LEAVING);
	assert_string_equal(sockmap_pair_reason(pair), "bulk, not chat");
	assert_int_equal(topped_up[0], 0);
}

/* Answers count from one refill to the next only. */
static void chat_stays(void **state)
{
	(void)state;
	redirected[1] = BUDGET / 2;
	segments[0] = BUDGET / 2 / (2 * 4096);
	low(1);
	assert_int_equal(sockmap_pair_state(pair), SOCKMAP_PAIR_IN);
	assert_int_equal(topped_up[1], 1);
	redirected[1] += BUDGET / 2 - 1;
	low(1);
	assert_int_equal(sockmap_pair_state(pair), SOCKMAP_PAIR_IN);
	redirected[1]++;
	low(1);
	assert_int_equal(sockmap_pair_state(pair), SOCKMAP_PAIR_LEAVING);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(told_again),
		TEST(bulk_leaves),
		TEST(chat_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
