/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whole streams through sockmap_flow.c, moved by a small relay that goes in and out of the kernel:
 * every byte and the end of the stream are checked at the far end. */
#include "sockmap_fixture.h"

#include <pthread.h>
#include <stdatomic.h>

#include "accel/sockmap_flow.h"
#include "accel/sockmap_probe.h"
#include "net/socket_reset.h"

#define SWITCHES   1000
#define BULK_BYTES ((uint64_t)64 << 20)
#define DEADLINE_S 60

/* Enough for all switches; and all of it fits into memory, should nothing hold the writer back. */
#define STREAM_MAX_BYTES ((uint64_t)2 << 30)

#define CHUNK_BYTES (64 * 1024)

/* After so much the writer waits until the relay has found the source empty, which a busy machine
 * may never let it. Times SWITCHES less than STREAM_MAX_BYTES. */
#define COPIED_MAX_BYTES ((uint64_t)1 << 20)

/* A far end that sends. */
struct writer {
	pthread_t thread;
	int fd;
	uint64_t seed;
	uint64_t limit;	       /* bytes; then it shuts down */
	unsigned int pause_us; /* at random, up to that */
	atomic_bool stop;      /* shut down now */
	atomic_bool hold;      /* send nothing for the moment */
	uint64_t sent;
};

/* A far end that checks what comes until the end of the stream. */
struct reader {
	pthread_t thread;
	int fd;
	uint64_t seed;
	unsigned int pause_us; /* after each chunk */
	uint64_t received;
	bool exact;
	bool ended;
};

/* One direction of the relay. */
struct direction {
	int source;
	int target;
	struct sockmap_flow flow;
	bool out;	 /* stay out of the kernel until it was read */
	uint64_t copied; /* bytes, since it was in the kernel */
	bool done;
};

struct pair {
	int client;
	int server;
	struct direction up;
	struct direction down;
};

static unsigned int seed_of_run;

static uint32_t random_below(unsigned int *state, uint32_t limit)
{
	return (uint32_t)rand_r(state) % limit;
}

static void *writer_run(void *data)
{
	struct writer *writer = data;
	unsigned int dice = seed_of_run + (unsigned int)writer->seed;
	static __thread uint8_t bytes[CHUNK_BYTES];

	while (!writer->stop && writer->sent < writer->limit) {
		/* Mostly small, sometimes large. */
		uint32_t len = 1 + random_below(&dice, 1U << random_below(&dice, 17));
		ssize_t n;

		if (writer->hold) {
			fixture_sleep_us(50);
			continue;
		}
		len = len < CHUNK_BYTES ? len : CHUNK_BYTES;
		if (len > writer->limit - writer->sent)
			len = (uint32_t)(writer->limit - writer->sent);
		fixture_fill(bytes, len, writer->sent, writer->seed);
		for (size_t done = 0; done < len; done += (size_t)n) {
			n = send(writer->fd, bytes + done, len - done, MSG_NOSIGNAL);
			if (n < 0)
				return NULL;
			writer->sent += (uint64_t)n;
		}
		if (writer->pause_us && random_below(&dice, 4) == 0)
			fixture_sleep_us(random_below(&dice, writer->pause_us));
	}
	shutdown(writer->fd, SHUT_WR);
	return NULL;
}

static void *reader_run(void *data)
{
	struct reader *reader = data;
	static __thread uint8_t bytes[CHUNK_BYTES];
	ssize_t n;

	reader->exact = true;
	while ((n = recv(reader->fd, bytes, sizeof(bytes), 0)) > 0) {
		if (!fixture_check(bytes, (size_t)n, reader->received, reader->seed))
			reader->exact = false;
		reader->received += (uint64_t)n;
		if (reader->pause_us)
			fixture_sleep_us(reader->pause_us);
	}
	reader->ended = n == 0;
	return NULL;
}

static void pair_open(struct pair *pair, struct sockmap *sockmap)
{
	*pair = (struct pair){0};
	fixture_connect(IPPROTO_TCP, &pair->up.source, &pair->client);
	fixture_connect(IPPROTO_TCP, &pair->up.target, &pair->server);
	pair->down.source = pair->up.target;
	pair->down.target = pair->up.source;
	assert_int_equal(sockmap_flow_prepare(&pair->up.flow, &pair->down.flow,
					      sockmap_worker(sockmap, 0), pair->up.source,
					      pair->up.target, 7),
			 0);
}

static void pair_close(struct pair *pair)
{
	sockmap_flow_release(&pair->up.flow);
	sockmap_flow_release(&pair->down.flow);
	close(pair->client);
	close(pair->server);
	close(pair->up.source);
	close(pair->up.target);
}

/* Copies once; enters the kernel when the source is empty. */
static void direction_copy(struct direction *direction)
{
	static uint8_t bytes[256 * 1024];
	ssize_t n = sockmap_flow_recv(&direction->flow, bytes, sizeof(bytes));

	if (n > 0) {
		direction->out = false;
		direction->copied += (uint64_t)n;
		for (ssize_t done = 0; done < n;) {
			ssize_t sent = send(direction->target, bytes + done, (size_t)(n - done),
					    MSG_NOSIGNAL | MSG_DONTWAIT);

			assert_true(sent > 0 || errno == EAGAIN);
			if (sent < 0)
				assert_true(fixture_wait(direction->target, POLLOUT,
							 FIXTURE_DEADLINE_MS));
			done += sent > 0 ? sent : 0;
		}
	} else if (n == 0) {
		shutdown(direction->target, SHUT_WR);
		direction->done = true;
	} else {
		assert_int_equal(n, -EAGAIN);
		if (!direction->out) {
			int err = sockmap_flow_enter(&direction->flow);

			assert_true(err == 0 || err == -EAGAIN || err == -EOPNOTSUPP);
			if (!err)
				direction->copied = 0;
		}
		direction->out = false;
	}
}

/* All that the source's peer sent has been taken. */
static bool direction_ended(const struct direction *direction)
{
	char byte;

	return recv(direction->source, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0 &&
	       sockmap_flow_unread(&direction->flow) == 0;
}

/* Whether it was in the kernel and had to be waited for. leave: get out now. */
static bool direction_step(struct direction *direction, bool leave)
{
	struct pollfd poll_fd = {.fd = direction->source, .events = POLLRDHUP};

	if (direction->done)
		return false;
	assert_int_not_equal(sockmap_flow_mode(&direction->flow), SOCKMAP_FLOW_BROKEN);
	if (sockmap_flow_mode(&direction->flow) == SOCKMAP_FLOW_REDIRECTING) {
		sockmap_flow_top_up(&direction->flow);
		if (poll(&poll_fd, 1, 0) == 1 && direction_ended(direction))
			leave = true;
		if (!leave)
			return true;
		direction->out = true;
	}
	if (!sockmap_flow_leave(&direction->flow)) {
		fixture_sleep_us(200);
		return true;
	}
	direction_copy(direction);
	return false;
}

static struct sockmap *sockmap_start(uint32_t budget)
{
	const struct sockmap_options options = {.workers = 1, .slots = 8, .budget_bytes = budget};
	struct sockmap *sockmap = sockmap_open(&options);

	assert_non_null(sockmap);
	sockmap_probe(sockmap);
	if (fixture_refused(sockmap)) {
		print_message("SKIP: %s\n", fixture_refused(sockmap));
		sockmap_close(sockmap);
		skip();
	}
	assert_string_equal(sockmap_feature(sockmap, SOCKMAP_TCP)->reason, "");
	return sockmap;
}

static void start(pthread_t *thread, void *(*run)(void *), void *data)
{
	assert_int_equal(pthread_create(thread, NULL, run, data), 0);
}

static void join(pthread_t thread)
{
	assert_int_equal(pthread_join(thread, NULL), 0);
}

static void assert_whole(const struct writer *writer, const struct reader *reader)
{
	if (reader->received != writer->sent)
		print_error("stream %llu: exact up to its end: %d\n",
			    (unsigned long long)writer->seed, reader->exact);
	assert_int_equal(reader->received, writer->sent);
	assert_true(reader->exact);
	assert_true(reader->ended);
}

/* Relays until both directions have ended. Leaves at random, until it has done so switches times,
 * and the kernel, which a busy machine may keep from it, has moved something; then tells the
 * writers, which are in the order of the directions, to stop. 0: never by itself. */
static void relay(struct pair *pair, unsigned int switches, struct writer *writers,
		  size_t writer_count)
{
	struct direction *directions[] = {&pair->up, &pair->down};
	double deadline = fixture_now() + DEADLINE_S;
	unsigned int dice = seed_of_run;
	unsigned int left = 0;

	while (!pair->up.done || !pair->down.done) {
		bool idle = true;

		assert_true(fixture_now() < deadline);
		for (size_t i = 0; i < 2; i++) {
			bool inside =
				sockmap_flow_mode(&directions[i]->flow) == SOCKMAP_FLOW_REDIRECTING;
			bool leave = switches && random_below(&dice, 8) == 0;

			idle = direction_step(directions[i], leave) && idle;
			left += inside &&
				sockmap_flow_mode(&directions[i]->flow) == SOCKMAP_FLOW_PASSING;
			if (switches && i < writer_count)
				writers[i].hold = directions[i]->copied > COPIED_MAX_BYTES;
		}
		if (left >= switches && sockmap_flow_redirected(&pair->up.flow) > 0)
			for (size_t i = 0; switches && i < writer_count; i++)
				writers[i].stop = true;
		if (idle)
			fixture_sleep_us(random_below(&dice, 200));
	}
	print_message("left the kernel %u times; redirected %llu KiB up, %llu KiB down\n", left,
		      (unsigned long long)sockmap_flow_redirected(&pair->up.flow) / 1024,
		      (unsigned long long)sockmap_flow_redirected(&pair->down.flow) / 1024);
	assert_true(left >= switches);
}

static void run_one_way(uint32_t budget, unsigned int switches, uint64_t limit,
			unsigned int writer_pause_us, unsigned int reader_pause_us)
{
	struct sockmap *sockmap = sockmap_start(budget);
	struct writer writer = {.seed = 1, .limit = limit, .pause_us = writer_pause_us};
	struct reader reader = {.seed = 1, .pause_us = reader_pause_us};
	struct pair pair;

	pair_open(&pair, sockmap);
	writer.fd = pair.client;
	reader.fd = pair.server;
	pair.down.done = true;
	assert_int_equal(sockmap_flow_enter(&pair.up.flow), 0);
	start(&writer.thread, writer_run, &writer);
	start(&reader.thread, reader_run, &reader);
	relay(&pair, switches, &writer, 1);
	join(writer.thread);
	join(reader.thread);
	assert_whole(&writer, &reader);
	assert_true(sockmap_flow_redirected(&pair.up.flow) > 0);
	pair_close(&pair);
	sockmap_close(sockmap);
}

static void test_switch_in_the_stream(void **state)
{
	(void)state;
	run_one_way(FIXTURE_BUDGET_BYTES, SWITCHES, STREAM_MAX_BYTES, 200, 0);
}

static void test_switch_in_bulk(void **state)
{
	(void)state;
	run_one_way(FIXTURE_BUDGET_BYTES, SWITCHES, STREAM_MAX_BYTES, 0, 0);
}

static void test_slow_reader(void **state)
{
	(void)state;
	run_one_way(FIXTURE_BUDGET_BYTES, 0, BULK_BYTES, 0, 300);
}

static void test_end_behind_a_slow_reader(void **state)
{
	(void)state;
	/* All of it fits into the budget: the end comes while most waits in the kernel. */
	run_one_way(2 * BULK_BYTES, 0, BULK_BYTES, 0, 500);
}

static void test_both_directions(void **state)
{
	struct sockmap *sockmap = sockmap_start(FIXTURE_BUDGET_BYTES);
	struct writer writers[2] = {
		{.seed = 1, .limit = STREAM_MAX_BYTES, .pause_us = 100},
		{.seed = 2, .limit = STREAM_MAX_BYTES, .pause_us = 300},
	};
	struct reader readers[2] = {{.seed = 1, .pause_us = 50}, {.seed = 2}};
	struct pair pair;

	(void)state;
	pair_open(&pair, sockmap);
	writers[0].fd = pair.client;
	readers[0].fd = pair.server;
	writers[1].fd = pair.server;
	readers[1].fd = pair.client;
	for (int i = 0; i < 2; i++) {
		start(&writers[i].thread, writer_run, &writers[i]);
		start(&readers[i].thread, reader_run, &readers[i]);
	}
	relay(&pair, SWITCHES, writers, 2);
	for (int i = 0; i < 2; i++) {
		join(writers[i].thread);
		join(readers[i].thread);
		assert_whole(&writers[i], &readers[i]);
	}
	pair_close(&pair);
	sockmap_close(sockmap);
}

/* Sessions that come and go: a slot's next user never gets bytes of the last. */
static void test_slots_change_hands(void **state)
{
	(void)state;
	struct sockmap *sockmap = sockmap_start(FIXTURE_BUDGET_BYTES);
	const double deadline = fixture_now() + DEADLINE_S;

	for (unsigned int i = 0; i < 200; i++) {
		struct writer writer = {.seed = i, .limit = STREAM_MAX_BYTES};
		struct reader reader = {.seed = i};
		struct pair pair;

		pair_open(&pair, sockmap);
		writer.fd = pair.client;
		reader.fd = pair.server;
		assert_int_equal(sockmap_flow_enter(&pair.up.flow), 0);
		assert_int_equal(pair.up.flow.slot, 0);
		start(&writer.thread, writer_run, &writer);
		start(&reader.thread, reader_run, &reader);
		while (sockmap_flow_redirected(&pair.up.flow) == 0) {
			assert_true(fixture_now() < deadline);
			fixture_sleep_us(10);
		}
		/* It ends in the middle: whatever arrived is its own. The kernel resets by itself
		 * what has bytes unread, but not those of a sockmap: the writer would wait for a
		 * minute. */
		sockmap_flow_release(&pair.up.flow);
		shutdown(pair.up.target, SHUT_RDWR);
		socket_reset(pair.up.source);
		close(pair.up.target);
		join(writer.thread);
		join(reader.thread);
		assert_true(reader.exact);
		close(pair.client);
		close(pair.server);
	}
	sockmap_close(sockmap);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_switch_in_the_stream),
		cmocka_unit_test(test_switch_in_bulk),
		cmocka_unit_test(test_slow_reader),
		cmocka_unit_test(test_end_behind_a_slow_reader),
		cmocka_unit_test(test_both_directions),
		cmocka_unit_test(test_slots_change_hands),
	};

	seed_of_run = (unsigned int)time(NULL);
	print_message("seed %u\n", seed_of_run);
	return cmocka_run_group_tests_name("sockmap_flow_stream", tests, NULL, NULL);
}
