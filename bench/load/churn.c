/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Connections that come and go: connect, a request, its response, close; and such that stay,
 * silent. */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "load.h"

/* At most so many bytes of a request or a response. */
#define BYTES_MAX ((size_t)64 * 1024)

static void send_pattern(int fd, size_t bytes)
{
	net_write_all(fd, pattern_at(0), bytes);
}

static void receive_pattern(int fd, size_t bytes)
{
	char buffer[BYTES_MAX];

	net_read_all(fd, buffer, bytes);
	pattern_check(buffer, bytes, 0);
}

static bool churn_fits(const struct hello *hello)
{
	return hello->request_bytes <= BYTES_MAX && hello->response_bytes <= BYTES_MAX;
}

static void leave(int fd)
{
	(void)farewell_in_silence(fd);
	close(fd);
}

void churn_serve(int fd, const struct hello *hello)
{
	if (!churn_fits(hello))
		die("at most %zu bytes each way", BYTES_MAX);
	receive_pattern(fd, hello->request_bytes);
	send_pattern(fd, hello->response_bytes);
	leave(fd);
}

struct churner {
	pthread_t thread;
	const struct plan *plan;
	const struct hello *hello;
	struct latency *latency;
	bool mptcp;
};

/* A connection is left when the next one has had its turn: no exchange waits for an end. */
static void *churn(void *argument)
{
	struct churner *churner = argument;
	const struct hello *hello = churner->hello;
	uint64_t begun;
	int last = -1;

	while ((begun = now_ns()) < hello->to_ns) {
		int fd = net_connect(churner->plan);
		uint64_t now;

		net_write_all(fd, hello, sizeof(*hello));
		send_pattern(fd, hello->request_bytes);
		receive_pattern(fd, hello->response_bytes);
		now = now_ns();
		churner->mptcp = net_is_mptcp(fd);
		shutdown(fd, SHUT_WR);
		if (last >= 0)
			leave(last);
		last = fd;
		if (now >= hello->from_ns && now < hello->to_ns)
			latency_add(churner->latency, now - begun);
	}
	if (last >= 0)
		leave(last);
	return NULL;
}

void churn_run(const struct plan *plan)
{
	struct churner *churners = calloc(plan->connections, sizeof(*churners));
	struct latency *latency = latency_new();
	const struct hello hello = plan_hello(plan);
	bool mptcp = false;

	if (!churners)
		die("no memory");
	if (!churn_fits(&hello))
		die("at most %zu bytes each way", BYTES_MAX);
	for (size_t i = 0; i < plan->connections; i++) {
		churners[i] =
			(struct churner){.plan = plan, .hello = &hello, .latency = latency_new()};
		if (pthread_create(&churners[i].thread, NULL, churn, &churners[i]))
			die("no thread");
	}
	for (size_t i = 0; i < plan->connections; i++) {
		pthread_join(churners[i].thread, NULL);
		latency_merge(latency, churners[i].latency);
		mptcp |= churners[i].mptcp;
		free(churners[i].latency);
	}
	free(churners);
	if (latency_count(latency) == 0)
		die("no connection came to its end");
	latency_print(plan, &hello, latency, mptcp);
	free(latency);
}

static void sleep_until(uint64_t at_ns)
{
	struct timespec at = {.tv_sec = (time_t)(at_ns / NS_PER_S),
			      .tv_nsec = (long)(at_ns % NS_PER_S)};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL))
		;
}

/* A request on each connection before and after the silence; exchange.c answers them. */
static void exchange_once(const struct plan *plan, const int *fds)
{
	for (size_t i = 0; i < plan->connections; i++)
		send_pattern(fds[i], plan->request_bytes);
	for (size_t i = 0; i < plan->connections; i++)
		receive_pattern(fds[i], plan->response_bytes);
}

/* One that never ends tells enough of the others. */
static void end_all(const struct plan *plan, const int *fds)
{
	for (size_t i = 0; i < plan->connections; i++)
		shutdown(fds[i], SHUT_WR);
	for (size_t i = 0; i < plan->connections && farewell_in_silence(fds[i]); i++)
		;
}

/* Says in a first line when the silence begins, so that others can look meanwhile. */
void idle_run(const struct plan *plan, const struct hello *hello, const int *fds)
{
	uint64_t start_ns;

	if (!churn_fits(hello))
		die("at most %zu bytes each way", BYTES_MAX);
	exchange_once(plan, fds);
	sleep_until(now_ns() + plan->warm_up_ns);
	start_ns = now_ns();
	puts("{\"work\": \"idle\"}");
	fflush(stdout);
	sleep_until(start_ns + plan->duration_ns);
	printf("{\"work\": \"idle\", \"connections\": %zu, \"mptcp\": %s, \"start_ns\": %" PRIu64
	       ", \"end_ns\": %" PRIu64 ", \"seconds\": %.6f}\n",
	       plan->connections, net_is_mptcp(fds[0]) ? "true" : "false", start_ns,
	       start_ns + plan->duration_ns, (double)plan->duration_ns / (double)NS_PER_S);
	exchange_once(plan, fds);
	end_all(plan, fds);
}
