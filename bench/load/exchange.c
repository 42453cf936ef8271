/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests and responses of fixed sizes, on all connections from one epoll loop per side: it is
 * the other end, so it should cost little. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"

#define EVENTS 64

/* One connection, seen from either side: a message comes in, a message goes out. Each is a word,
 * and then what the pattern has there. */
struct talk {
	int fd;
	uint32_t in_bytes;
	uint32_t out_bytes;
	size_t in_left;
	size_t out_left;
	uint64_t word;	 /* the first bytes of what goes out: the response repeats the request's */
	uint64_t heard;	 /* of what comes in */
	bool wants_room; /* watched for EPOLLOUT */
	uint64_t since_ns;
};

static int server_epoll = -1;

static int make_epoll(void)
{
	int fd = epoll_create1(EPOLL_CLOEXEC);

	if (fd < 0)
		die("epoll: %s", strerror(errno));
	return fd;
}

static void talk_watch(struct talk *talk, int epoll, int operation)
{
	struct epoll_event event = {.events = EPOLLIN | (talk->wants_room ? EPOLLOUT : 0),
				    .data.ptr = talk};

	if (epoll_ctl(epoll, operation, talk->fd, &event))
		die("epoll: %s", strerror(errno));
}

static struct talk *talk_new(int fd, uint32_t in_bytes, uint32_t out_bytes, int epoll)
{
	struct talk *talk = calloc(1, sizeof(*talk));

	if (!talk)
		die("no memory");
	*talk = (struct talk){
		.fd = fd, .in_bytes = in_bytes, .out_bytes = out_bytes, .in_left = in_bytes};
	if (fcntl(fd, F_SETFL, O_NONBLOCK))
		die("O_NONBLOCK: %s", strerror(errno));
	talk_watch(talk, epoll, EPOLL_CTL_ADD);
	return talk;
}

/* Sends what is left of the message; what finds no room waits for EPOLLOUT. 0 or -errno. */
static int talk_send(struct talk *talk, int epoll)
{
	static _Thread_local char first[PATTERN_BYTES];
	static _Thread_local bool is_filled;

	if (!is_filled)
		memcpy(first, pattern_at(0), sizeof(first));
	is_filled = true;
	memcpy(first, &talk->word, sizeof(talk->word));
	while (talk->out_left > 0) {
		size_t done = talk->out_bytes - talk->out_left;
		bool begun = done >= sizeof(talk->word);
		size_t room = begun ? PATTERN_BYTES : PATTERN_BYTES - done;
		size_t len = talk->out_left < room ? talk->out_left : room;
		ssize_t n =
			send(talk->fd, begun ? pattern_at(done) : first + done, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0)
			return -errno;
		talk->out_left -= (size_t)n;
	}
	if (talk->wants_room != (talk->out_left > 0)) {
		talk->wants_room = talk->out_left > 0;
		talk_watch(talk, epoll, EPOLL_CTL_MOD);
	}
	return 0;
}

static int talk_begin(struct talk *talk, int epoll)
{
	talk->out_left = talk->out_bytes;
	return talk_send(talk, epoll);
}

/* Keeps the word, and checks what is behind it. */
static void talk_hear(struct talk *talk, const char *bytes, size_t len)
{
	size_t done = talk->in_bytes - talk->in_left;
	size_t of_word = done < sizeof(talk->heard) ? sizeof(talk->heard) - done : 0;

	of_word = len < of_word ? len : of_word;
	memcpy((char *)&talk->heard + done, bytes, of_word);
	if (len > of_word)
		pattern_check(bytes + of_word, len - of_word, done + of_word);
}

/* Whether the response is that to the request. */
static bool talk_is_answered(const struct talk *talk)
{
	size_t len = sizeof(talk->word);

	len = talk->in_bytes < len ? talk->in_bytes : len;
	len = talk->out_bytes < len ? talk->out_bytes : len;
	return memcmp(&talk->word, &talk->heard, len) == 0;
}

/* 1: a message is complete; 0: not yet; -ENODATA: the end of the stream; or -errno. */
static int talk_receive(struct talk *talk)
{
	static _Thread_local char buffer[PATTERN_BYTES];
	size_t len = talk->in_left < sizeof(buffer) ? talk->in_left : sizeof(buffer);
	ssize_t n = recv(talk->fd, buffer, len, 0);

	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	if (n == 0)
		return -ENODATA;
	talk_hear(talk, buffer, (size_t)n);
	talk->in_left -= (size_t)n;
	if (talk->in_left > 0)
		return 0;
	talk->in_left = talk->in_bytes;
	return 1;
}

/* Answers every complete request. */
static int server_step(struct talk *talk, uint32_t events)
{
	int result = 0;

	if (events & EPOLLOUT)
		result = talk_send(talk, server_epoll);
	if (result == 0 && (events & ~(uint32_t)EPOLLOUT)) {
		result = talk_receive(talk);
		if (result == 1) {
			talk->word = talk->heard;
			result = talk_begin(talk, server_epoll);
		}
	}
	return result;
}

static void *server_loop(void *unused)
{
	struct epoll_event events[EVENTS];

	(void)unused;
	for (;;) {
		int count = epoll_wait(server_epoll, events, EVENTS, -1);

		for (int i = 0; i < count; i++) {
			struct talk *talk = events[i].data.ptr;

			if (server_step(talk, events[i].events) < 0) {
				close(talk->fd);
				free(talk);
			}
		}
	}
	return NULL;
}

void exchange_start_server(void)
{
	pthread_t thread;

	server_epoll = make_epoll();
	if (pthread_create(&thread, NULL, server_loop, NULL))
		die("no thread");
	pthread_detach(thread);
}

/* From here on the loop owns the connection, and frees it.
 * NOLINTBEGIN(clang-analyzer-unix.Malloc): only epoll knows it. */
void exchange_serve(int fd, const struct hello *hello)
{
	(void)talk_new(fd, hello->request_bytes, hello->response_bytes, server_epoll);
}
/* NOLINTEND(clang-analyzer-unix.Malloc) */

struct client {
	int epoll;
	const struct hello *hello;
	struct latency *latency;
	double interval_ns; /* between the starts of two exchanges; 0: each when one ends */
	uint64_t started;   /* exchanges, when they are paced */
	uint64_t begun_ns;
	struct talk **talks;
	struct talk **idle; /* a stack; used only when paced */
	size_t idle_count;
};

static void client_begin(struct client *client, struct talk *talk, uint64_t since_ns)
{
	int error;

	talk->since_ns = since_ns;
	talk->word++;
	error = talk_begin(talk, client->epoll);
	if (error)
		die("send: %s", strerror(-error));
}

static void client_step(struct client *client, const struct epoll_event *event)
{
	struct talk *talk = event->data.ptr;
	uint64_t now;
	int result;

	if (event->events & EPOLLOUT) {
		result = talk_send(talk, client->epoll);
		if (result)
			die("send: %s", strerror(-result));
	}
	if (!(event->events & ~(uint32_t)EPOLLOUT))
		return;
	result = talk_receive(talk);
	if (result < 0)
		die("receive: %s",
		    result == -ENODATA ? "the other side closed" : strerror(-result));
	if (result == 0)
		return;
	if (!talk_is_answered(talk))
		die_of_wrong_bytes("a wrong response: bytes were lost, doubled or out of order");
	now = now_ns();
	if (now >= client->hello->from_ns && now < client->hello->to_ns)
		latency_add(client->latency, now - talk->since_ns);
	if (client->interval_ns > 0)
		client->idle[client->idle_count++] = talk;
	else
		client_begin(client, talk, now);
}

static uint64_t next_due_ns(const struct client *client)
{
	return client->begun_ns + (uint64_t)((double)client->started * client->interval_ns);
}

/* Time is counted from when an exchange was due, also when no connection was free: a server that
 * stops must not stop the clock as well. */
static void begin_due(struct client *client, uint64_t now)
{
	while (client->idle_count > 0 && next_due_ns(client) <= now) {
		client_begin(client, client->idle[--client->idle_count], next_due_ns(client));
		client->started++;
	}
}

static void client_wait(struct client *client, uint64_t now)
{
	uint64_t until = client->hello->to_ns;
	struct epoll_event events[EVENTS];
	struct timespec timeout;
	int count;

	if (client->interval_ns > 0 && client->idle_count > 0 && next_due_ns(client) < until)
		until = next_due_ns(client);
	until = until > now ? until - now : 0;
	timeout = (struct timespec){.tv_sec = (time_t)(until / NS_PER_S),
				    .tv_nsec = (long)(until % NS_PER_S)};
	count = epoll_pwait2(client->epoll, events, EVENTS, &timeout, NULL);
	if (count < 0 && errno != EINTR)
		die("epoll: %s", strerror(errno));
	for (int i = 0; i < count; i++)
		client_step(client, &events[i]);
}

static void client_prepare(struct client *client, const struct plan *plan, const int *fds)
{
	client->talks = calloc(plan->connections, sizeof(struct talk *));
	client->idle = calloc(plan->connections, sizeof(struct talk *));
	if (!client->talks || !client->idle)
		die("no memory");
	for (size_t i = 0; i < plan->connections; i++)
		client->talks[i] =
			talk_new(fds[i], plan->response_bytes, plan->request_bytes, client->epoll);
	/* Timers that are 50 µs late, as they are by default, would be the result. */
	prctl(PR_SET_TIMERSLACK, 1UL);
}

void exchange_run(const struct plan *plan, const struct hello *hello, const int *fds)
{
	struct client client = {
		.epoll = make_epoll(),
		.hello = hello,
		.latency = latency_new(),
		.interval_ns = plan->per_second > 0 ? (double)NS_PER_S / plan->per_second : 0,
		.begun_ns = now_ns()};

	client_prepare(&client, plan, fds);
	for (size_t i = 0; i < plan->connections; i++) {
		if (client.interval_ns > 0)
			client.idle[client.idle_count++] = client.talks[i];
		else
			client_begin(&client, client.talks[i], now_ns());
	}
	for (uint64_t now = now_ns(); now < hello->to_ns; now = now_ns()) {
		if (client.interval_ns > 0)
			begin_due(&client, now);
		client_wait(&client, now);
	}
	if (latency_count(client.latency) == 0)
		die("no exchange was finished");
	latency_print(plan, hello, client.latency, net_is_mptcp(fds[0]));
	for (size_t i = 0; i < plan->connections; i++)
		free(client.talks[i]);
	free(client.talks);
	free(client.idle);
	free(client.latency);
	close(client.epoll);
}
