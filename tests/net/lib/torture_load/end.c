/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One end of a session: follows its script, and checks every byte and the end of what it reads. */
#include <errno.h>
#include <inttypes.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "load.h"
#include "net/socket_reset.h"
#include "pattern.h"

/* Before the other ends get their turn. */
#define WRITES_PER_TURN 8

/* As that of hawserd, see torture.py. */
#define KEEPALIVE_S 2

/* Of wrong data, shown. */
#define SAMPLE_BYTES 24

enum socks5 { SOCKS5_IPV6 = 4, SOCKS5_VERSION = 5, SOCKS5_SUCCEEDED = 0, SOCKS5_REFUSED = 5 };

static unsigned char buffer[PATTERN_PART_MAX];

static struct script *end_script(const struct end *end)
{
	return &end->session->plan.scripts[end->side];
}

static struct end *end_peer(const struct end *end)
{
	return &end->session->ends[!end->side];
}

static const char *end_name(const struct end *end)
{
	return end->side == SIDE_CLIENT ? "client" : "server";
}

static bool end_peer_reset(const struct end *end)
{
	return end->session->reset_made && end->session->plan.resetter != end->side;
}

static size_t end_greeting_bytes(const struct end *end)
{
	const struct plan *plan = &end->session->plan;

	if (end->side == SIDE_SERVER)
		return 0;
	return plan->kind == PLAN_LEAVE && plan->leave_after < greeting_bytes() ? plan->leave_after
										: greeting_bytes();
}

static size_t answer_bytes(const struct end *end)
{
	const bool v6 = end->answered >= ANSWER_MIN && end->answer[5] == SOCKS5_IPV6;

	return v6 ? ANSWER_MAX : ANSWER_MIN;
}

static bool end_answered(const struct end *end)
{
	return end->side == SIDE_SERVER || end->answered == answer_bytes(end);
}

/* Both are connected, and know it. */
static bool session_stands(const struct session *session)
{
	return session->plan.kind == PLAN_LEAVE ||
	       (end_answered(&session->ends[SIDE_CLIENT]) && session->ends[SIDE_SERVER].fd >= 0);
}

static void end_ready(void *owner)
{
	struct end *end = owner;
	socklen_t len = sizeof(int);
	int err = 0;

	if (end->connecting) {
		getsockopt(end->fd, SOL_SOCKET, SO_ERROR, &err, &len);
		if (err)
			session_fail(end->session, "client: connect: %s", strerror(err));
		end->connecting = false;
	}
	end_run(end, now_ns());
}

void keep_alive(int fd)
{
	int on = 1, soon_s = KEEPALIVE_S;

	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &soon_s, sizeof(soon_s));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &soon_s, sizeof(soon_s));
}

void end_begin(struct end *end, struct session *session, enum side side, int fd, bool connecting)
{
	const struct script *script = &session->plan.scripts[side];
	int on = 1;

	*end = (struct end){.watch = {end_ready, end},
			    .session = session,
			    .side = side,
			    .fd = fd,
			    .connecting = connecting,
			    .reset_ns = NEVER};
	if (script->small_buffer)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &script->small_buffer,
			   sizeof(script->small_buffer));
	if (script->nodelay)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	keep_alive(fd);
}

void end_close(struct end *end)
{
	if (end->fd >= 0)
		close(end->fd);
	end->fd = -1;
	end->events = 0;
	end->over = true;
}

static void end_reset(struct end *end)
{
	int queued = 0;

	/* More than what is not acknowledged may have arrived; less cannot. */
	if (!ioctl(end->fd, SIOCOUTQ, &queued) && (uint64_t)queued < end->sent)
		end->acknowledged = end->sent - (uint64_t)queued;
	end->session->reset_made = true;
	end->session->progress_ns = now_ns();
	totals.resets_made++;
	socket_reset(end->fd);
	end->fd = -1;
	end_close(end);
}

/* Says where the wrong bytes begin and end, and of what place in the stream those behind them are.
 */
static void end_wrong_bytes(struct end *end, const unsigned char *bytes, size_t len)
{
	const uint64_t key = end_script(end_peer(end))->key;
	const unsigned char *right = pattern_at(key, end->received);
	size_t first = 0;
	size_t known;
	size_t wrong = 0;
	int64_t distance = PATTERN_UNKNOWN;
	char sample[3 * SAMPLE_BYTES + 1] = "";

	while (bytes[first] == right[first])
		first++;
	for (size_t i = first; i < len; i++)
		wrong += bytes[i] != right[i];
	for (size_t i = 0; i < SAMPLE_BYTES && first + i < len; i++)
		snprintf(sample + 3 * i, sizeof(sample) - 3 * i, " %02x", bytes[first + i]);
	for (known = first; known < len && distance == PATTERN_UNKNOWN; known++)
		distance = pattern_distance(key, end->received + known, bytes + known, len - known);
	session_fail(end->session,
		     "%s: wrong data from byte %" PRIu64
		     " of the stream, %zu bytes of a piece of %zu from "
		     "%" PRIu64 ":%s; those from %" PRIu64 " are displaced by %" PRId64,
		     end_name(end), end->received + first, wrong, len, end->received, sample,
		     end->received + known - 1, distance);
}

static void end_read_answer(struct end *end, size_t len)
{
	const struct plan *plan = &end->session->plan;
	const unsigned char *answer = end->answer;
	unsigned char code = plan->kind == PLAN_REFUSED ? SOCKS5_REFUSED : SOCKS5_SUCCEEDED;

	end->answered += len;
	if (end->answered < answer_bytes(end))
		return;
	if (answer[0] != SOCKS5_VERSION || answer[1] != 0 || answer[2] != SOCKS5_VERSION ||
	    answer[3] != code)
		session_fail(end->session, "client: answered %u %u %u %u", answer[0], answer[1],
			     answer[2], answer[3]);
}

static void end_read_bytes(struct end *end, size_t len, uint64_t now)
{
	const struct script *script = end_script(end);
	const struct end *peer = end_peer(end);

	if (memcmp(buffer, pattern_at(end_script(peer)->key, end->received), len) != 0) {
		end_wrong_bytes(end, buffer, len);
		return;
	}
	if (end->received + len > peer->sent) {
		session_fail(end->session, "%s: %" PRIu64 " bytes received, %" PRIu64 " sent",
			     end_name(end), end->received + len, peer->sent);
		return;
	}
	end->received += len;
	totals.received[end->side] += len;
	if (script->read_pause_us)
		end->read_ns = now + script->read_pause_us * NS_PER_US;
	if (script->stall_us && !end->stalled && end->received >= script->stall_at) {
		end->stalled = true;
		end->read_ns = now + script->stall_us * NS_PER_US;
	}
}

/* An end of stream says that all was received that the other end has sent. Once a write has been
 * told of the reset, a read is not told again, and sees what looks like an end of stream. */
static void end_read_eof(struct end *end)
{
	const struct end *peer = end_peer(end);

	bool refused = end->session->plan.kind == PLAN_REFUSED && end_answered(end);
	bool whole = end_answered(end) && peer->shut && end->received == peer->sent;

	end->eof = true;
	if (!end->reset_seen && !refused && !whole)
		session_fail(end->session,
			     "%s: end of stream after %" PRIu64 " bytes of %" PRIu64 " sent, %s",
			     end_name(end), end->received, peer->sent,
			     peer->shut ? "all" : "which were not yet all");
}

/* Of a reset, by a read or a write. */
static void end_failed(struct end *end, const char *what, int err)
{
	if (!end_peer_reset(end) || (err != ECONNRESET && err != EPIPE)) {
		session_fail(end->session,
			     "%s: %s: %s, after %" PRIu64 " bytes received and %" PRIu64 " sent",
			     end_name(end), what, strerror(err), end->received, end->sent);
		return;
	}
	end->reset_seen = true;
	end->shut = true;
	end->blocked = false;
}

static void end_read(struct end *end, uint64_t now)
{
	const struct script *script = end_script(end);
	bool answer = !end_answered(end);
	ssize_t n;

	if (answer)
		n = recv(end->fd, end->answer + end->answered, answer_bytes(end) - end->answered,
			 MSG_DONTWAIT);
	else
		n = recv(end->fd, buffer, script->read_max, MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return;
	end->session->progress_ns = now;
	if (n < 0) {
		end_failed(end, "read", errno);
		end->eof = true;
	} else if (n == 0) {
		end_read_eof(end);
	} else if (answer) {
		end_read_answer(end, (size_t)n);
	} else {
		end_read_bytes(end, (size_t)n, now);
	}
}

/* How much of the greeting may be sent now. Who is eager waits for no answer. */
static size_t end_greeting_open(const struct end *end)
{
	size_t open = end_greeting_bytes(end);

	if (open > GREETING_METHODS_BYTES && !end->session->plan.eager &&
	    end->answered < ANSWER_METHOD_BYTES)
		open = GREETING_METHODS_BYTES;
	return open - end->greeted;
}

/* Bytes of the script that may be sent now, as one write. */
static size_t end_script_open(struct end *end, uint64_t now)
{
	const struct script *script = end_script(end);
	const struct plan *plan = &end->session->plan;
	const struct step *step = &script->steps[end->step];
	uint64_t left;
	uint64_t size;

	if (end->step == script->count)
		return 0;
	if (end->greeted + end_greeting_open(end) < end_greeting_bytes(end) ||
	    (plan->kind == PLAN_LEAVE && plan->leave_after < greeting_bytes()) ||
	    (!plan->eager && !end_answered(end)))
		return 0;
	if (end->received < step->after_received || (step->after_eof && !end->eof))
		return 0;
	if (!end->begun) {
		end->begun = true;
		end->send_ns = now + step->pause_us * NS_PER_US;
	}
	if (now < end->send_ns)
		return 0;
	left = step->bytes - end->step_sent;
	size = 1 + dice_below(&end->session->dice, step->write_max);
	return size < left ? size : left;
}

static void end_sent(struct end *end, size_t len, uint64_t now)
{
	const struct step *step = &end_script(end)->steps[end->step];

	end->sent += len;
	end->step_sent += len;
	if (step->gap_us)
		end->send_ns = now + step->gap_us * NS_PER_US;
	if (end->step_sent < step->bytes)
		return;
	end->step++;
	end->step_sent = 0;
	end->begun = false;
}

/* One write, of what is left of the greeting and of the script. Returns whether to go on. */
static bool end_write(struct end *end, uint64_t now)
{
	size_t greeting = end_greeting_open(end);
	size_t size = end_script_open(end, now);
	struct iovec parts[] = {
		{end->session->greeting + end->greeted, greeting},
		{(void *)pattern_at(end_script(end)->key, end->sent), size},
	};
	const struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
	ssize_t n;

	if (greeting + size == 0)
		return false;
	n = sendmsg(end->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0 && errno == EAGAIN) {
		end->blocked = true;
		return false;
	}
	if (n < 0) {
		/* Who is refused need not take what was sent early. */
		if (end->session->plan.kind == PLAN_REFUSED && end_answered(end))
			end->shut = true;
		else
			end_failed(end, "write", errno);
		return false;
	}
	end->session->progress_ns = now;
	if ((size_t)n < greeting)
		greeting = (size_t)n;
	end->greeted += greeting;
	if ((size_t)n > greeting)
		end_sent(end, (size_t)n - greeting, now);
	return true;
}

static void end_write_all(struct end *end, uint64_t now)
{
	const struct plan *plan = &end->session->plan;

	end->blocked = false;
	for (int i = 0; end_write(end, now); i++) {
		if (i == WRITES_PER_TURN) {
			end->blocked = true;
			return;
		}
		if (end->session->failed)
			return;
	}
	if (end->shut || plan->kind == PLAN_LEAVE || end->step < end_script(end)->count ||
	    end->greeted < end_greeting_bytes(end))
		return;
	if (!plan->eager && !end_answered(end))
		return;
	end->shut = true;
	/* If nothing is left to read either, it will just close. */
	if (!end->eof && shutdown(end->fd, SHUT_WR) && !end_peer_reset(end))
		session_fail(end->session, "%s: shutdown: %s", end_name(end), strerror(errno));
}

static bool end_reset_due(struct end *end, uint64_t now)
{
	const struct plan *plan = &end->session->plan;

	if ((plan->kind != PLAN_RESET && plan->kind != PLAN_LEAVE) || plan->resetter != end->side ||
	    !session_stands(end->session))
		return false;
	if (end->reset_ns == NEVER && plan->reset_after_us != UINT64_MAX)
		end->reset_ns = now + plan->reset_after_us * NS_PER_US;
	return end->sent >= plan->reset_sent || end->received >= plan->reset_received ||
	       now >= end->reset_ns;
}

static bool end_finished(const struct end *end)
{
	return end->eof && (end->shut || end->session->plan.kind == PLAN_REFUSED);
}

static void end_wait(struct end *end, uint64_t now)
{
	struct epoll_event event = {.data.ptr = &end->watch};

	end->wake_ns = end->reset_ns;
	if (end->connecting) {
		event.events = EPOLLOUT;
	} else {
		if (!end->eof && now >= end->read_ns)
			event.events |= EPOLLIN;
		else if (!end->eof && end->read_ns < end->wake_ns)
			end->wake_ns = end->read_ns;
		if (end->blocked)
			event.events |= EPOLLOUT;
		else if (end->begun && now < end->send_ns && end->send_ns < end->wake_ns)
			end->wake_ns = end->send_ns;
	}
	if (event.events == end->events)
		return;
	/* With nothing asked for, epoll would still report a reset, again and again. */
	epoll_ctl(epoll_fd,
		  !end->events	 ? EPOLL_CTL_ADD
		  : event.events ? EPOLL_CTL_MOD
				 : EPOLL_CTL_DEL,
		  end->fd, &event);
	end->events = event.events;
}

/* A step that an answer of the other end made possible is done at once. */
void end_run(struct end *end, uint64_t now)
{
	struct session *session = end->session;

	if (end->over || end->fd < 0)
		return;
	if (!end->connecting) {
		if (!end->eof && now >= end->read_ns)
			end_read(end, now);
		if (!session->failed && !end->shut)
			end_write_all(end, now);
	}
	if (session->failed)
		return;
	if (!end->connecting && end_reset_due(end, now)) {
		end_reset(end);
		return;
	}
	if (end_finished(end)) {
		totals.resets_seen += end->reset_seen;
		end_close(end);
		return;
	}
	end_wait(end, now);
}
