/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One direction whose bytes the kernel moves: enter, grant credit, leave, drain. */
#include "accel/sockmap_flow.h"

#include <errno.h>
#include <linux/socket.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "accel/tcp_position.h"
#include "net/mptcp.h"

#ifndef SO_BUF_LOCK /* 5.16 */
#define SO_BUF_LOCK 72
#endif

/* A queue of at most a budget in small pieces takes a few times that in a send buffer. */
#define PUSH_BUDGETS_MAX 8

/* The program changes it at the same time. */
static _Atomic uint64_t *flow_word(const struct parked *parked)
{
	return (_Atomic uint64_t *)&parked->flow->word;
}

static uint32_t word_passed(uint64_t word)
{
	return (uint32_t)(word >> HAWSER_WORD_PASSED_BIT);
}

/* Sets the base from which the target's drain is counted. Less than the truth will not do here: the
 * target would seem to have written what it has not. */
static int parked_set_base(struct parked *parked)
{
	parked->base_redirected = parked_redirected(parked);
	return stream_pos_written(parked->target, parked->target_mptcp, STREAM_POS_EXACT,
				  &parked->base_written);
}

static bool socket_is_mptcp(int fd)
{
	return mptcp_transport(fd) == TRANSPORT_MPTCP;
}

int parked_prepare(struct parked *up, struct parked *down, struct accel_worker *worker, int client,
		   int server, uint64_t session)
{
	bool client_mptcp = socket_is_mptcp(client);
	bool server_mptcp = socket_is_mptcp(server);
	int err = 0;

	*up = (struct parked){.source = client, .target = server, .session = session};
	*down = (struct parked){.source = server, .target = client, .session = session};
	up->direction = HAWSER_UP;
	down->direction = HAWSER_DOWN;
	up->source_mptcp = client_mptcp;
	up->target_mptcp = server_mptcp;
	down->source_mptcp = server_mptcp;
	down->target_mptcp = client_mptcp;
	if (!client_mptcp)
		err = stream_pos_origin(client, &up->origin);
	if (!err && !server_mptcp)
		err = stream_pos_origin(server, &down->origin);
	if (err)
		return err;
	up->worker = worker;
	down->worker = worker;
	return 0;
}

static int parked_enter_again(struct parked *parked)
{
	uint64_t word = atomic_load(flow_word(parked));
	uint32_t credit = word & HAWSER_WORD_CREDIT;
	uint64_t next;
	int err;

	if (!(word & HAWSER_WORD_PASS))
		return 0;
	if (!parked->drained)
		return -EBUSY;
	if (word_passed(word) != parked->taken)
		return -EAGAIN;
	err = parked_set_base(parked);
	if (err)
		return err;
	next = (word & ~(HAWSER_WORD_PASS | HAWSER_WORD_CREDIT)) | parked->budget;
	if (!atomic_compare_exchange_strong(flow_word(parked), &word, next))
		return -EAGAIN;
	parked->granted += parked->budget - credit;
	return 0;
}

/* The sequence number of the first byte that was not taken yet. -EAGAIN: that may be in the middle
 * of something longer than the program can trim. */
static int parked_next_seq(struct parked *parked, uint32_t *seq)
{
	uint64_t taken;
	uint32_t waiting;
	int err = stream_pos_read(parked->source, &taken, &waiting);

	if (err && err != -EAGAIN)
		parked->source_error = err;
	if (err)
		return err;
	if (waiting > 0 && taken > HAWSER_TRIM_BYTES)
		return -EAGAIN;
	*seq = parked->origin + (uint32_t)taken;
	return 0;
}

static int parked_enter_first(struct parked *parked)
{
	struct hawser_flow initial = {.session = parked->session, .direction = parked->direction};
	int one = 1;
	int err = parked_set_base(parked);

	if (!err && !parked->source_mptcp) {
		initial.check_seq = 1;
		err = parked_next_seq(parked, &initial.next_seq);
	}
	if (err)
		return err;
	parked->slot = accel_insert(parked->worker, parked->source, parked->target, &initial,
				    parked, &parked->flow);
	if (parked->slot < 0) {
		parked->flow = NULL;
		return parked->slot;
	}
	parked->granted = parked->flow->granted;
	parked->budget = (uint32_t)parked->granted;
	/* The kick: what came before the insert would wait for the next segment. 1 is the default;
	 * setting it makes the kernel look at the queue. recv(MSG_PEEK) does so since 6.4 only. */
	setsockopt(parked->source, SOL_SOCKET, SO_RCVLOWAT, &one, sizeof(one));
	return 0;
}

int parked_enter(struct parked *parked)
{
	int err;

	if (!parked->worker)
		return -EINVAL;
	err = parked->flow ? parked_enter_again(parked) : parked_enter_first(parked);
	if (err || parked->entered)
		return err;
	parked->entered = true;
	parked->drained = false;
	parked->leave_calls = 0;
	parked->flow->granted = parked->granted;
	parked->flow->mode = HAWSER_REDIRECT;
	parked->flow->entries++;
	return 0;
}

enum parked_mode parked_mode(const struct parked *parked)
{
	if (!parked->flow)
		return PARKED_OUT;
	if (*(volatile const __u64 *)&parked->flow->broken)
		return PARKED_BROKEN;
	return atomic_load(flow_word(parked)) & HAWSER_WORD_PASS ? PARKED_PASSING
								 : PARKED_REDIRECTING;
}

uint64_t parked_redirected(const struct parked *parked)
{
	if (!parked->flow)
		return 0;
	return parked->granted - (atomic_load(flow_word(parked)) & HAWSER_WORD_CREDIT);
}

uint64_t parked_segments(const struct parked *parked)
{
	return parked->flow ? *(volatile const __u64 *)&parked->flow->segments : 0;
}

/* Bytes redirected since the last entry that the target has not written yet; *written: those that
 * it has. */
static uint64_t parked_waiting(const struct parked *parked, uint64_t *written)
{
	uint64_t redirected = parked_redirected(parked) - parked->base_redirected;

	/* Less than the truth may even be less than the base. */
	if (stream_pos_written(parked->target, parked->target_mptcp, STREAM_POS_AT_MOST, written) ||
	    *written < parked->base_written)
		*written = parked->base_written;
	*written -= parked->base_written;
	return *written < redirected ? redirected - *written : 0;
}

uint32_t parked_top_up(struct parked *parked)
{
	uint64_t written = 0;
	uint64_t waiting;
	uint64_t limit;

	if (!parked->flow)
		return 0;
	waiting = parked_waiting(parked, &written);
	/* Only the target's writing raises the limit, so that granted - written, and with it what
	 * the kernel holds, never exceeds the budget. */
	limit = parked->base_redirected + written + parked->budget;
	if (parked_mode(parked) == PARKED_REDIRECTING && limit > parked->granted) {
		atomic_fetch_add(flow_word(parked), limit - parked->granted);
		parked->granted = limit;
		parked->flow->granted = limit;
	}
	return (uint32_t)waiting;
}

/* Makes room for the queue in the target's send buffer. */
static void target_push(struct parked *parked)
{
	socklen_t len = sizeof(int);
	int size;

	if (getsockopt(parked->target, SOL_SOCKET, SO_SNDBUF, &size, &len))
		return;
	if (parked->sndbuf == 0) {
		parked->sndbuf = size;
		if (getsockopt(parked->target, SOL_SOCKET, SO_BUF_LOCK, &parked->sndbuf_lock, &len))
			parked->sndbuf_lock = SOCK_SNDBUF_LOCK | SOCK_RCVBUF_LOCK;
	}
	/* The kernel doubles what it is given. */
	if (size < parked->sndbuf + PUSH_BUDGETS_MAX * (int)parked->budget)
		setsockopt(parked->target, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
}

static void target_restore(struct parked *parked)
{
	int size = parked->sndbuf / 2;

	if (parked->sndbuf == 0)
		return;
	setsockopt(parked->target, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	/* Unlocked, it grows with the connection again. */
	setsockopt(parked->target, SOL_SOCKET, SO_BUF_LOCK, &parked->sndbuf_lock,
		   sizeof(parked->sndbuf_lock));
	parked->sndbuf = 0;
}

bool parked_leave(struct parked *parked)
{
	uint64_t written = 0;

	if (!parked->flow)
		return true;
	if (parked->entered) {
		atomic_fetch_or(flow_word(parked), HAWSER_WORD_PASS);
		parked->entered = false;
		parked->flow->mode = HAWSER_PASS;
		parked->flow->exits++;
	}
	if (parked->drained)
		return true;
	if (parked_waiting(parked, &written) > 0) {
		if (parked->leave_calls++ > 0)
			target_push(parked);
		return false;
	}
	parked->drained = true;
	target_restore(parked);
	return true;
}

uint32_t parked_unread(const struct parked *parked)
{
	if (!parked->flow)
		return 0;
	return word_passed(atomic_load(flow_word(parked))) - parked->taken;
}

ssize_t parked_recv(struct parked *parked, void *bytes, size_t size)
{
	ssize_t n = recv(parked->source, bytes, size, MSG_DONTWAIT);

	if (n < 0)
		return -errno;
	/* The kernel says so as soon as the FIN is in, whatever it still has to hand over. */
	if (n == 0 && parked_unread(parked) > 0)
		return -EAGAIN;
	if (parked->flow)
		parked->taken += (uint32_t)n;
	return n;
}

void parked_release(struct parked *parked)
{
	if (!parked->flow)
		return;
	target_restore(parked);
	accel_remove(parked->worker, parked->slot, parked->source);
	*parked = (struct parked){0};
}
