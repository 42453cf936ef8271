/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the figures of one subflow tell about its link. */
#include "links/link_news.h"

#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "links/link_choice.h"
#include "net/subflow.h"

#define SLOT 3
#define BIT  (1U << SLOT)

static struct link_choices choices;

static struct link_signs signs_of(const struct subflow *figures)
{
	struct subflow subflow = *figures;
	struct link_signs signs = {0};

	choices.count = 1;
	choices.links[0].slot = SLOT;
	choices.links[0].sources[IP_V4].in4 =
		(struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = 1};
	subflow.local = choices.links[0].sources[IP_V4];
	subflow.local.in4.sin_port = 9;
	subflow.state = TCP_ESTABLISHED;
	subflow.rtt_us = 50000;
	link_signs_add(&signs, &choices, &subflow);
	return signs;
}

static void of_a_sender(void **state)
{
	struct subflow figures = {.unacked = 5,
				  .last_data_sent_ms = 90,
				  .last_ack_ms = 90,
				  .last_data_received_ms = 5000};
	struct link_signs signs = signs_of(&figures);

	(void)state;
	assert_int_equal(signs.silent, BIT);
	assert_int_equal(signs.moving, BIT);
	assert_int_equal(signs.alive, 0);
	/* It was idle before, and has just sent something. */
	figures.last_ack_ms = 5000;
	figures.last_data_sent_ms = 60;
	assert_int_equal(signs_of(&figures).silent, 0);
	/* Nothing to wait for. */
	figures.unacked = 0;
	figures.last_data_sent_ms = 900;
	assert_int_equal(signs_of(&figures).silent, 0);
	figures.last_ack_ms = 10;
	assert_int_equal(signs_of(&figures).alive, BIT);
}

static void of_a_receiver(void **state)
{
	struct subflow figures = {
		.last_data_sent_ms = 5000, .last_ack_ms = 5000, .last_data_received_ms = 10};
	struct link_signs signs = signs_of(&figures);

	(void)state;
	assert_int_equal(signs.silent, 0);
	assert_int_equal(signs.alive, BIT);
	figures.last_data_received_ms = 60;
	assert_int_equal(signs_of(&figures).silent, BIT);
	/* Long ago: nobody uses it. */
	figures.last_data_received_ms = 1500;
	signs = signs_of(&figures);
	assert_int_equal(signs.silent | signs.moving | signs.alive, 0);
}

static void of_one_that_all_wait_for(void **state)
{
	struct subflow figures = {.local = choices.links[0].sources[IP_V4]};
	struct link_signs signs = {0};

	(void)state;
	link_signs_add_awaited(&signs, &choices, &figures);
	assert_int_equal(signs.awaited, BIT);
	/* It is on none of our links. */
	figures.local.in4.sin_addr.s_addr = 2;
	signs.awaited = 0;
	link_signs_add_awaited(&signs, &choices, &figures);
	assert_int_equal(signs.awaited, 0);
}

/* Of all that move, the shortest round-trip time tells: no peer can make a link look slow. */
static void the_shortest_round_trip(void **state)
{
	struct subflow figures = {.last_data_received_ms = 10};
	struct link_signs signs = signs_of(&figures);

	(void)state;
	assert_int_equal(signs.rtt_us[SLOT], 50000);
	figures = (struct subflow){.local = choices.links[0].sources[IP_V4],
				   .state = TCP_ESTABLISHED,
				   .rtt_us = 600000,
				   .last_data_received_ms = 10};
	link_signs_add(&signs, &choices, &figures);
	assert_int_equal(signs.rtt_us[SLOT], 50000);
	figures.rtt_us = 20000;
	link_signs_add(&signs, &choices, &figures);
	assert_int_equal(signs.rtt_us[SLOT], 20000);
	figures = (struct subflow){
		.last_data_received_ms = 1500, .last_data_sent_ms = 1500, .last_ack_ms = 1500};
	assert_int_equal(signs_of(&figures).rtt_us[SLOT], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_a_sender),
		cmocka_unit_test(of_a_receiver),
		cmocka_unit_test(of_one_that_all_wait_for),
		cmocka_unit_test(the_shortest_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
