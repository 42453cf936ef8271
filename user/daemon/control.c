/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One request is served at a time per client, and no further one is read while its answer waits to
 * be written: a client costs one request, one answer and nothing more. */
#include "daemon/control.h"

#include <errno.h>
#include <ev.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/control_socket.h"
#include "base/heap.h"
#include "base/own_directory.h"

#define LISTEN_BACKLOG 16
#define ACCEPT_PAUSE_S 1.0
/* An answer of this length was a tree worth giving back. */
#define TRIM_BYTES	 65536
#define STRINGIFY(x)	 #x
#define NUMBER_TEXT(x)	 STRINGIFY(x)
#define ERROR_LINE(text) "{\"error\":\"" text "\"}\n"

static const char busy_line[] =
	ERROR_LINE("busy: " NUMBER_TEXT(CONTROL_CLIENTS_MAX) " clients are connected");
static const char memory_line[] = ERROR_LINE("hawserd is out of memory");
static const char overlong_line[] =
	ERROR_LINE("request longer than " NUMBER_TEXT(CONTROL_REQUEST_MAX) " bytes");
static const char malformed_line[] =
	ERROR_LINE("malformed request; expected one line such as {\\\"command\\\":\\\"status\\\"}");

struct client {
	struct control *control;
	struct ev_io io;
	char *out; /* the answer not yet fully written, or NULL */
	size_t out_len;
	size_t out_done;
	bool closing; /* no more input: close once all is answered */
	size_t in_len;
	char in[CONTROL_REQUEST_MAX];
};

struct control {
	struct ev_loop *loop;
	control_answer_fn *answer;
	void *context;
	struct ev_io listener;
	struct ev_timer accept_pause;
	struct heap heap;
	struct sockaddr_un address;
	dev_t socket_device; /* which file at the address is ours */
	ino_t socket_inode;
	struct client *clients[CONTROL_CLIENTS_MAX];
};

static struct client **control_find(struct control *control, const struct client *client)
{
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		if (control->clients[i] == client)
			return &control->clients[i];
	}
	return NULL;
}

static void client_close(struct client *client)
{
	struct control *control = client->control;

	*control_find(control, client) = NULL;
	ev_io_stop(control->loop, &client->io);
	close(client->io.fd);
	free(client->out);
	free(client);
}

/* Takes a line with its newline. False without memory. */
static bool client_queue(struct client *client, const char *line, size_t len)
{
	client->out = malloc(len);
	if (!client->out)
		return false;
	memcpy(client->out, line, len);
	client->out_len = len;
	client->out_done = 0;
	return true;
}

/* The serialised text belongs to the tree, which takes ten times as much memory; so the text is
 * copied and the tree freed before a slow reader gets the time to hold it. */
static bool client_queue_object(struct client *client, struct json_object *object)
{
	size_t len = 0;
	const char *text = json_object_to_json_string_length(object, JSON_C_TO_STRING_PLAIN, &len);
	bool queued = false;

	if (text && client_queue(client, text, len + 1)) {
		client->out[len] = '\n';
		queued = true;
	}
	json_object_put(object);
	if (len >= TRIM_BYTES)
		heap_trim_soon(&client->control->heap);
	return queued;
}

static bool client_answer(struct client *client, const char *line, size_t len)
{
	struct json_tokener *tokener = json_tokener_new();
	struct json_object *request = NULL;
	struct json_object *command = NULL;
	struct json_object *answer;
	bool queued;

	if (!tokener)
		return client_queue(client, memory_line, sizeof(memory_line) - 1);
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	request = json_tokener_parse_ex(tokener, line, (int)len);
	if (!json_object_is_type(request, json_type_object) ||
	    !json_object_object_get_ex(request, "command", &command) ||
	    !json_object_is_type(command, json_type_string)) {
		queued = client_queue(client, malformed_line, sizeof(malformed_line) - 1);
		goto out;
	}
	answer = client->control->answer(client->control->context, json_object_get_string(command),
					 request);
	queued = answer ? client_queue_object(client, answer)
			: client_queue(client, memory_line, sizeof(memory_line) - 1);
out:
	json_object_put(request);
	json_tokener_free(tokener);
	return queued;
}

/* False when the client is gone. */
static bool client_flush(struct client *client)
{
	while (client->out) {
		ssize_t n = send(client->io.fd, client->out + client->out_done,
				 client->out_len - client->out_done, MSG_NOSIGNAL);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		client->out_done += (size_t)n;
		if (client->out_done == client->out_len) {
			free(client->out);
			client->out = NULL;
		}
	}
	return true;
}

/* Answers what is buffered, as far as the client takes the answers. False when it is to be closed.
 */
static bool client_serve(struct client *client)
{
	for (;;) {
		const char *newline;

		if (!client_flush(client))
			return false;
		if (client->out)
			return true;
		newline = memchr(client->in, '\n', client->in_len);
		if (newline) {
			size_t len = (size_t)(newline - client->in);

			if (!client_answer(client, client->in, len))
				return false;
			client->in_len -= len + 1;
			memmove(client->in, newline + 1, client->in_len);
		} else if (client->closing) {
			return false;
		} else if (client->in_len == sizeof(client->in)) {
			client->closing = true;
			if (!client_queue(client, overlong_line, sizeof(overlong_line) - 1))
				return false;
		} else {
			return true;
		}
	}
}

/* Reads once, so that no client holds the loop. False when the client is gone. */
static bool client_read(struct client *client)
{
	ssize_t n = recv(client->io.fd, client->in + client->in_len,
			 sizeof(client->in) - client->in_len, 0);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	client->in_len += (size_t)n;
	client->closing = n == 0;
	return true;
}

static void client_ready(struct ev_loop *loop, struct ev_io *io, int events)
{
	struct client *client = io->data;
	int wanted;

	if (((events & EV_READ) && !client_read(client)) || !client_serve(client)) {
		client_close(client);
		return;
	}
	wanted = client->out ? EV_WRITE : EV_READ;
	if (!(events & wanted)) {
		ev_io_stop(loop, io);
		ev_io_set(io, io->fd, wanted);
		ev_io_start(loop, io);
	}
}

static void control_accept(struct ev_loop *loop, struct ev_io *io, int events)
{
	struct control *control = io->data;
	struct client **slot = control_find(control, NULL);
	struct client *client;
	int fd = accept4(io->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)events;
	if (fd < 0) {
		/* Out of fds or memory: the connection would wake us again at once. */
		if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
			ev_io_stop(loop, io);
			ev_timer_start(loop, &control->accept_pause);
		}
		return;
	}
	client = slot ? calloc(1, sizeof(*client)) : NULL;
	if (!client) {
		if (slot)
			send(fd, memory_line, sizeof(memory_line) - 1, MSG_NOSIGNAL);
		else
			send(fd, busy_line, sizeof(busy_line) - 1, MSG_NOSIGNAL);
		close(fd);
		return;
	}
	*slot = client;
	client->control = control;
	io = &client->io;
	ev_io_init(io, client_ready, fd, EV_READ);
	io->data = client;
	ev_io_start(loop, io);
}

static void control_accept_again(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	struct control *control = timer->data;

	(void)events;
	ev_io_start(loop, &control->listener);
}

static int make_directory_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	char directory[sizeof(((struct sockaddr_un *)NULL)->sun_path)];

	if (!slash || slash == path)
		return 0;
	memcpy(directory, path, (size_t)(slash - path));
	directory[slash - path] = '\0';
	return own_directory_make(directory, 0755);
}

/* 0 when a socket that nobody answers, or nothing, is at the address. */
static int check_stale(const struct sockaddr_un *address)
{
	struct stat status;
	int err = -EADDRINUSE;
	int fd;

	if (lstat(address->sun_path, &status) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(status.st_mode))
		return -ENOTSOCK;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* EAGAIN: its backlog is full, so there is somebody. */
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 && errno != EAGAIN)
		err = errno == ECONNREFUSED || errno == ENOENT ? 0 : -errno;
	close(fd);
	return err;
}

static int bind_replacing(int fd, const struct sockaddr_un *address)
{
	int err;

	if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) == 0)
		return 0;
	if (errno != EADDRINUSE)
		return -errno;
	err = check_stale(address);
	if (err)
		return err;
	if (unlink(address->sun_path) < 0 && errno != ENOENT)
		return -errno;
	return bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? -errno : 0;
}

/* Fills address, device and inode. The listening fd or -errno. */
static int control_listen(struct control *control, const char *path)
{
	struct stat status;
	int fd = -1;
	int err;

	if (strlen(path) >= sizeof(control->address.sun_path))
		return -ENAMETOOLONG;
	control->address.sun_family = AF_UNIX;
	memcpy(control->address.sun_path, path, strlen(path) + 1);
	err = make_directory_of(path);
	if (err)
		return err;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* Linux's bind() gives the file the mode of the socket: it is never wider, and the umask of
	 * the other threads is left alone. */
	if (fchmod(fd, 0600) < 0) {
		err = -errno;
		goto out;
	}
	err = bind_replacing(fd, &control->address);
	if (err)
		goto out;
	if (listen(fd, LISTEN_BACKLOG) < 0 || lstat(path, &status) < 0) {
		err = -errno;
		unlink(path);
		goto out;
	}
	control->socket_device = status.st_dev;
	control->socket_inode = status.st_ino;
	return fd;
out:
	close(fd);
	return err;
}

struct control *control_open(struct ev_loop *loop, const char *path, control_answer_fn *answer,
			     void *context)
{
	struct control *control = calloc(1, sizeof(*control));
	struct ev_io *listener;
	struct ev_timer *pause;
	int fd;

	if (!control)
		return NULL;
	control->loop = loop;
	control->answer = answer;
	control->context = context;
	fd = control_listen(control, path);
	if (fd < 0) {
		free(control);
		errno = -fd;
		return NULL;
	}
	/* By way of pointers: libev's macros write through casts that break the aliasing rules as
	 * gcc sees them on a member. */
	listener = &control->listener;
	ev_io_init(listener, control_accept, fd, EV_READ);
	listener->data = control;
	heap_init(&control->heap, loop);
	pause = &control->accept_pause;
	ev_timer_init(pause, control_accept_again, ACCEPT_PAUSE_S, 0.0);
	pause->data = control;
	ev_io_start(loop, listener);
	return control;
}

void control_close(struct control *control)
{
	struct stat status;

	if (!control)
		return;
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		if (control->clients[i])
			client_close(control->clients[i]);
	}
	ev_timer_stop(control->loop, &control->accept_pause);
	heap_fini(&control->heap);
	ev_io_stop(control->loop, &control->listener);
	/* Before the close: until then no other file can have the inode. */
	if (lstat(control->address.sun_path, &status) == 0 &&
	    status.st_dev == control->socket_device && status.st_ino == control->socket_inode)
		unlink(control->address.sun_path);
	close(control->listener.fd);
	free(control);
}
