/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether ends come through: what is sent after the other side has ended its stream, and resets,
 * which must not look like the end of a whole stream. */
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"

/* More than sockets hold of a stream whose reader has not begun. */
#define BEHIND_BYTES (1U << 20)
#define PATIENCE_MS  10000

enum phase {
	PHASE_HALF_CLOSE,   /* the client ends its stream, then the server sends */
	PHASE_SERVER_RESET, /* after the client's word */
	PHASE_CLIENT_RESET, /* after the server's */
	PHASE_VERDICT,	    /* how the last phase ended for the server */
};

enum end { END_OPEN, END_CLEAN, END_RESET, END_STUCK };

static const char *const end_names[] = {[END_OPEN] = "stuck",
					[END_CLEAN] = "clean end",
					[END_RESET] = "reset",
					[END_STUCK] = "stuck"};

static _Atomic enum end server_saw = END_OPEN;

static bool is_readable(int fd)
{
	struct pollfd waited = {.fd = fd, .events = POLLIN};

	return poll(&waited, 1, PATIENCE_MS) == 1;
}

/* Reads on to the end; *bytes: how many came before it. More than most were doubled on the way. */
static enum end read_to_end(int fd, uint64_t most, uint64_t *bytes)
{
	char buffer[1 << 16];

	for (*bytes = 0; is_readable(fd);) {
		ssize_t n = recv(fd, buffer, sizeof(buffer), 0);

		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return END_RESET;
		if (n == 0)
			return END_CLEAN;
		if (n > 0) {
			pattern_check(buffer, (size_t)n, *bytes);
			*bytes += (uint64_t)n;
			if (*bytes > most)
				die_of_wrong_bytes("wrong bytes at the end: more than were sent");
		}
	}
	return END_STUCK;
}

static enum end read_nothing(int fd)
{
	uint64_t bytes;

	return read_to_end(fd, 0, &bytes);
}

/* Also of MPTCP, where SO_LINGER does not do it on all kernels. */
static void reset(int fd)
{
	const struct sockaddr nowhere = {.sa_family = AF_UNSPEC};

	(void)!connect(fd, &nowhere, sizeof(nowhere));
}

static void put_behind(int fd)
{
	for (uint64_t sent = 0; sent < BEHIND_BYTES;) {
		size_t len = BEHIND_BYTES - sent;
		ssize_t n = send(fd, pattern_at(sent), len < PATTERN_BYTES ? len : PATTERN_BYTES,
				 MSG_NOSIGNAL);

		if (n < 0 && net_again(fd, POLLOUT))
			continue;
		if (n < 0)
			return; /* the client tells of it */
		sent += (uint64_t)n;
	}
}

void farewell_answer(int fd)
{
	if (read_nothing(fd) == END_CLEAN)
		(void)!send(fd, pattern_at(0), FAREWELL_BYTES, MSG_NOSIGNAL);
	close(fd);
}

enum farewell farewell_ask(int fd)
{
	uint64_t bytes;

	shutdown(fd, SHUT_WR);
	return read_to_end(fd, FAREWELL_BYTES, &bytes) == END_CLEAN && bytes == FAREWELL_BYTES
		       ? FAREWELL_KEPT
		       : FAREWELL_LOST;
}

bool farewell_in_silence(int fd)
{
	return read_nothing(fd) != END_STUCK;
}

void ends_serve(int fd, const struct hello *hello)
{
	char word = 0;

	switch ((enum phase)hello->request_bytes) {
	case PHASE_HALF_CLOSE:
		if (read_nothing(fd) == END_CLEAN)
			put_behind(fd);
		break;
	case PHASE_SERVER_RESET:
		net_write_all(fd, pattern_at(0), 1);
		net_read_all(fd, &word, 1);
		reset(fd);
		break;
	case PHASE_CLIENT_RESET:
		server_saw = END_OPEN;
		net_write_all(fd, pattern_at(0), 1);
		server_saw = read_nothing(fd);
		break;
	case PHASE_VERDICT:
		for (int ms = 0; ms < PATIENCE_MS && server_saw == END_OPEN; ms++)
			poll(NULL, 0, 1);
		word = (char)server_saw;
		net_write_all(fd, &word, 1);
		break;
	}
	close(fd);
}

static int begin(const struct plan *plan, enum phase phase)
{
	struct hello hello = plan_hello(plan);
	int fd = net_connect(plan);

	hello.request_bytes = phase;
	net_write_all(fd, &hello, sizeof(hello));
	return fd;
}

static char hear(int fd)
{
	char word = END_STUCK;

	if (is_readable(fd))
		(void)!recv(fd, &word, 1, 0);
	return word;
}

static enum end see_server_reset(const struct plan *plan)
{
	int fd = begin(plan, PHASE_SERVER_RESET);
	enum end end;

	hear(fd);
	net_write_all(fd, pattern_at(0), 1);
	end = read_nothing(fd);
	close(fd);
	return end;
}

static enum end show_client_reset(const struct plan *plan)
{
	int fd = begin(plan, PHASE_CLIENT_RESET);
	char saw;

	hear(fd);
	reset(fd);
	close(fd);
	fd = begin(plan, PHASE_VERDICT);
	saw = hear(fd);
	close(fd);
	return saw >= END_OPEN && saw <= END_STUCK ? (enum end)saw : END_STUCK;
}

void ends_run(const struct plan *plan)
{
	int fd = begin(plan, PHASE_HALF_CLOSE);
	uint64_t bytes;
	enum end end;
	enum end server_reset;

	shutdown(fd, SHUT_WR);
	end = read_to_end(fd, BEHIND_BYTES, &bytes);
	close(fd);
	server_reset = see_server_reset(plan);
	printf("{\"work\": \"ends\", \"half_close\": \"%s\", \"server_reset\": \"%s\", "
	       "\"client_reset\": \"%s\"}\n",
	       end == END_CLEAN && bytes == BEHIND_BYTES ? "kept"
	       : end == END_STUCK			 ? "stuck"
							 : "lost",
	       end_names[server_reset], end_names[show_client_reset(plan)]);
}
