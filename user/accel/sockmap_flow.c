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
static _Atomic uint64_t *flow_word(const struct sockmap_flow *flow)
{
	return (_Atomic uint64_t *)&flow->shared->word;
}

static uint32_t word_passed(uint64_t word)
{
	return (uint32_t)(word >> HAWSER_WORD_PASSED_BIT);
}

/* Sets the base from which the target's drain is counted. Less than the truth will not do here: the
 * target would seem to have written what it has not. */
static int sockmap_flow_set_base(struct sockmap_flow *flow)
{
	flow->base_redirected = sockmap_flow_redirected(flow);
	return tcp_position_written(flow->target, flow->target_mptcp, TCP_POSITION_EXACT,
				    &flow->base_written);
}

static bool socket_is_mptcp(int fd)
{
	return mptcp_transport(fd) == TRANSPORT_MPTCP;
}

int sockmap_flow_prepare(struct sockmap_flow *up, struct sockmap_flow *down,
			 struct sockmap_worker *worker, int client, int server, uint64_t session)
{
	bool client_mptcp = socket_is_mptcp(client);
	bool server_mptcp = socket_is_mptcp(server);
	int err = 0;

	*up = (struct sockmap_flow){.source = client, .target = server, .session = session};
	*down = (struct sockmap_flow){.source = server, .target = client, .session = session};
	up->direction = HAWSER_UP;
	down->direction = HAWSER_DOWN;
	up->source_mptcp = client_mptcp;
	up->target_mptcp = server_mptcp;
	down->source_mptcp = server_mptcp;
	down->target_mptcp = client_mptcp;
	if (!client_mptcp)
		err = tcp_position_origin(client, &up->origin);
	if (!err && !server_mptcp)
		err = tcp_position_origin(server, &down->origin);
	if (err)
		return err;
	up->worker = worker;
	down->worker = worker;
	return 0;
}

static int sockmap_flow_enter_again(struct sockmap_flow *flow)
{
	uint64_t word = atomic_load(flow_word(flow));
	uint32_t credit = word & HAWSER_WORD_CREDIT;
	uint64_t next;
	int err;

	if (!(word & HAWSER_WORD_PASS))
		return 0;
	if (!flow->drained)
		return -EBUSY;
	if (word_passed(word) != flow->taken)
		return -EAGAIN;
	err = sockmap_flow_set_base(flow);
	if (err)
		return err;
	next = (word & ~(HAWSER_WORD_PASS | HAWSER_WORD_CREDIT)) | flow->budget;
	if (!atomic_compare_exchange_strong(flow_word(flow), &word, next))
		return -EAGAIN;
	flow->granted += flow->budget - credit;
	return 0;
}

/* The sequence number of the first byte that was not taken yet. -EAGAIN: that may be in the middle
 * of something longer than the program can trim. */
static int sockmap_flow_next_seq(struct sockmap_flow *flow, uint32_t *seq)
{
	uint64_t taken;
	uint32_t waiting;
	int err = tcp_position_read(flow->source, &taken, &waiting);

	if (err && err != -EAGAIN)
		flow->source_error = err;
	if (err)
		return err;
	if (waiting > 0 && taken > HAWSER_TRIM_BYTES)
		return -EAGAIN;
	*seq = flow->origin + (uint32_t)taken;
	return 0;
}

static int sockmap_flow_enter_first(struct sockmap_flow *flow)
{
	struct hawser_flow initial = {.session = flow->session, .direction = flow->direction};
	int one = 1;
	int err = sockmap_flow_set_base(flow);

	if (!err && !flow->source_mptcp) {
		initial.check_seq = 1;
		err = sockmap_flow_next_seq(flow, &initial.next_seq);
	}
	if (err)
		return err;
	flow->slot = sockmap_insert(flow->worker, flow->source, flow->target, &initial, flow,
				    &flow->shared);
	if (flow->slot < 0) {
		flow->shared = NULL;
		return flow->slot;
	}
	flow->granted = flow->shared->granted;
	flow->budget = (uint32_t)flow->granted;
	/* The kick: what came before the insert would wait for the next segment. 1 is the default;
	 * setting it makes the kernel look at the queue. recv(MSG_PEEK) does so since 6.4 only. */
	setsockopt(flow->source, SOL_SOCKET, SO_RCVLOWAT, &one, sizeof(one));
	return 0;
}

int sockmap_flow_enter(struct sockmap_flow *flow)
{
	int err;

	if (!flow->worker)
		return -EINVAL;
	err = flow->shared ? sockmap_flow_enter_again(flow) : sockmap_flow_enter_first(flow);
	if (err || flow->entered)
		return err;
	flow->entered = true;
	flow->drained = false;
	flow->leave_calls = 0;
	flow->shared->granted = flow->granted;
	flow->shared->mode = HAWSER_REDIRECT;
	flow->shared->entries++;
	return 0;
}

enum sockmap_flow_mode sockmap_flow_mode(const struct sockmap_flow *flow)
{
	if (!flow->shared)
		return SOCKMAP_FLOW_OUT;
	if (*(volatile const __u64 *)&flow->shared->broken)
		return SOCKMAP_FLOW_BROKEN;
	return atomic_load(flow_word(flow)) & HAWSER_WORD_PASS ? SOCKMAP_FLOW_PASSING
							       : SOCKMAP_FLOW_REDIRECTING;
}

uint64_t sockmap_flow_redirected(const struct sockmap_flow *flow)
{
	if (!flow->shared)
		return 0;
	return flow->granted - (atomic_load(flow_word(flow)) & HAWSER_WORD_CREDIT);
}

uint64_t sockmap_flow_segments(const struct sockmap_flow *flow)
{
	return flow->shared ? *(volatile const __u64 *)&flow->shared->segments : 0;
}

/* Bytes redirected since the last entry that the target has not written yet; *written: those that
 * it has. */
static uint64_t sockmap_flow_waiting(const struct sockmap_flow *flow, uint64_t *written)
{
	uint64_t redirected = sockmap_flow_redirected(flow) - flow->base_redirected;

	/* Less than the truth may even be less than the base. */
	if (tcp_position_written(flow->target, flow->target_mptcp, TCP_POSITION_AT_MOST, written) ||
	    *written < flow->base_written)
		*written = flow->base_written;
	*written -= flow->base_written;
	return *written < redirected ? redirected - *written : 0;
}

uint32_t sockmap_flow_top_up(struct sockmap_flow *flow)
{
	uint64_t written = 0;
	uint64_t waiting;
	uint64_t limit;

	if (!flow->shared)
		return 0;
	waiting = sockmap_flow_waiting(flow, &written);
	/* Only the target's writing raises the limit, so that granted - written, and with it what
	 * the kernel holds, never exceeds the budget. */
	limit = flow->base_redirected + written + flow->budget;
	if (sockmap_flow_mode(flow) == SOCKMAP_FLOW_REDIRECTING && limit > flow->granted) {
		atomic_fetch_add(flow_word(flow), limit - flow->granted);
		flow->granted = limit;
		flow->shared->granted = limit;
	}
	return (uint32_t)waiting;
}

/* Makes room for the queue in the target's send buffer. */
static void target_push(struct sockmap_flow *flow)
{
	socklen_t len = sizeof(int);
	int size;

	if (getsockopt(flow->target, SOL_SOCKET, SO_SNDBUF, &size, &len))
		return;
	if (flow->sndbuf == 0) {
		flow->sndbuf = size;
		if (getsockopt(flow->target, SOL_SOCKET, SO_BUF_LOCK, &flow->sndbuf_lock, &len))
			flow->sndbuf_lock = SOCK_SNDBUF_LOCK | SOCK_RCVBUF_LOCK;
	}
	/* The kernel doubles what it is given. */
	if (size < flow->sndbuf + PUSH_BUDGETS_MAX * (int)flow->budget)
		setsockopt(flow->target, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
}

static void target_restore(struct sockmap_flow *flow)
{
	int size = flow->sndbuf / 2;

	if (flow->sndbuf == 0)
		return;
	setsockopt(flow->target, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	/* Unlocked, it grows with the connection again. */
	setsockopt(flow->target, SOL_SOCKET, SO_BUF_LOCK, &flow->sndbuf_lock,
		   sizeof(flow->sndbuf_lock));
	flow->sndbuf = 0;
}

bool sockmap_flow_leave(struct sockmap_flow *flow)
{
	uint64_t written = 0;

	if (!flow->shared)
		return true;
	if (flow->entered) {
		atomic_fetch_or(flow_word(flow), HAWSER_WORD_PASS);
		flow->entered = false;
		flow->shared->mode = HAWSER_PASS;
		flow->shared->exits++;
	}
	if (flow->drained)
		return true;
	if (sockmap_flow_waiting(flow, &written) > 0) {
		if (flow->leave_calls++ > 0)
			target_push(flow);
		return false;
	}
	flow->drained = true;
	target_restore(flow);
	return true;
}

uint32_t sockmap_flow_unread(const struct sockmap_flow *flow)
{
	if (!flow->shared)
		return 0;
	return word_passed(atomic_load(flow_word(flow))) - flow->taken;
}

ssize_t sockmap_flow_recv(struct sockmap_flow *flow, void *bytes, size_t size)
{
	ssize_t n = recv(flow->source, bytes, size, MSG_DONTWAIT);

	if (n < 0)
		return -errno;
	/* The kernel says so as soon as the FIN is in, whatever it still has to hand over. */
	if (n == 0 && sockmap_flow_unread(flow) > 0)
		return -EAGAIN;
	if (flow->shared)
		flow->taken += (uint32_t)n;
	return n;
}

void sockmap_flow_release(struct sockmap_flow *flow)
{
	if (!flow->shared)
		return;
	target_restore(flow);
	sockmap_remove(flow->worker, flow->slot, flow->source);
	*flow = (struct sockmap_flow){0};
}
