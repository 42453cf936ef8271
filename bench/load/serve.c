/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The server's end: who accepts, and who serves what a connection asks for. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"

/* They serve short connections themselves: a thread for each would cost more than what is measured.
 */
#define ACCEPTORS 64

/* It changes whenever struct hello does, or what its numbers mean. */
const uint64_t hello_magic = 0x4841575345523104ULL;

struct service {
	int listener;
	const struct reading *reading;
};

struct streams {
	int fd;
	struct hello hello;
	const struct reading *reading;
};

static void start_detached(void *(*run)(void *), void *argument)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, run, argument) || pthread_detach(thread))
		die("no thread");
}

static void *serve_streams(void *argument)
{
	struct streams streams = *(struct streams *)argument;

	free(argument);
	bulk_serve(streams.fd, &streams.hello, streams.reading);
	return NULL;
}

static void serve_connection(int fd, const struct reading *reading)
{
	struct streams *streams;
	struct hello hello;
	char first;

	net_set_nodelay(fd);
	/* Who only looks whether the server is there closes at once; that is no error. */
	if (recv(fd, &first, 1, MSG_PEEK) <= 0) {
		close(fd);
		return;
	}
	net_read_all(fd, &hello, sizeof(hello));
	if (hello.magic != hello_magic)
		die("the client is of another version");
	switch ((enum work)hello.work) {
	case WORK_EXCHANGE:
	case WORK_IDLE:
		exchange_serve(fd, &hello);
		break;
	case WORK_CHURN:
		churn_serve(fd, &hello);
		break;
	case WORK_ENDS:
		ends_serve(fd, &hello);
		break;
	case WORK_DOWNLOAD:
	case WORK_UPLOAD:
	case WORK_DUPLEX:
		streams = malloc(sizeof(*streams));
		if (!streams)
			die("no memory");
		*streams = (struct streams){fd, hello, reading};
		start_detached(serve_streams, streams);
		break;
	}
}

static void *accept_all(void *argument)
{
	const struct service *service = argument;

	for (;;) {
		int fd = accept4(service->listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd >= 0)
			serve_connection(fd, service->reading);
		else if (errno != EINTR && errno != ECONNABORTED)
			die("accept: %s", strerror(errno));
	}
	return NULL;
}

noreturn void serve(const char *address, const struct plan *plan)
{
	struct service service = {net_listen(address, plan->mptcp), &plan->reading};

	exchange_start_server();
	for (size_t i = 1; i < ACCEPTORS; i++)
		start_detached(accept_all, &service);
	accept_all(&service);
	abort(); /* it does not return */
}
