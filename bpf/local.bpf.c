/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a client in the cgroup sends to hawserd goes into hawserd's socket without the loopback
 * path, as far as order and memory allow, else by TCP. Needs the kernel's BTF. */
#include <stdbool.h>

#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "../include/hawser_local.h"

#define FAMILY_IPV4  2
#define FAMILY_IPV6  10
#define STATE_CLOSED 7 /* TCP_CLOSE */
#define MAPPED	     bpf_htonl(0xffff)

/* Keeps the compiler from loading through a pointer into the context that depends on the branch,
 * which the kernel refuses. */
#define BRANCH_END() __asm__ volatile("" ::: "memory")

/* Their names and members as the kernel's; where they are, its BTF tells. */
struct file {
	unsigned int f_flags;
} __attribute__((preserve_access_index));
struct socket {
	struct file *file;
} __attribute__((preserve_access_index));
struct sock_common {
	unsigned long skc_flags;
} __attribute__((preserve_access_index));
struct sock {
	struct sock_common __sk_common;
	struct socket *sk_socket;
} __attribute__((preserve_access_index));
struct inet_connection_sock {
	const void *icsk_ulp_ops;
} __attribute__((preserve_access_index));
struct tcp_sock {
	struct inet_connection_sock inet_conn;
	__u32 write_seq;
} __attribute__((preserve_access_index));
enum sock_flags { SOCK_ZEROCOPY };

/* Set before loading. */
const volatile __u64 netns_cookie;    /* hawserd's: tuples are unique only within one */
const volatile __u32 budget_bytes;    /* that wait in hawserd's queue, at most */
const volatile __u32 nonblock_flag;   /* O_NONBLOCK, which differs between architectures */
const volatile __u32 budget_messages; /* the same; each costs the kernel about 1 KiB */

/* Where hawserd listens. The address is all zero, or ::ffff:0.0.0.0, for any of this host. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct hawser_local_address);
	__type(value, __u32);
} listeners SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct hawser_local_key);
	__type(value, struct hawser_local_connection);
} connections SEC(".maps");

/* User space sizes the maps. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct hawser_local_flow);
} flows SEC(".maps");

/* Clients' sockets; the program on sending is attached to this one. */
struct {
	__uint(type, BPF_MAP_TYPE_SOCKHASH);
	__uint(max_entries, 1);
	__type(key, struct hawser_local_key);
	__type(value, __u64);
} clients SEC(".maps");

/* hawserd's sockets, put in by user space, without a program. */
struct {
	__uint(type, BPF_MAP_TYPE_SOCKHASH);
	__uint(max_entries, 1);
	__type(key, struct hawser_local_key);
	__type(value, __u64);
} accepted SEC(".maps");

/* A socket in a sockhash receives by the kernel's tcp_bpf_recvmsg(), which differs (run on 6.18).
 * Its recv() that has to wait fails with EAGAIN when it is woken for anything but data: a signal
 * that has been handled, room to send, a reset, data that another reader took. So only sockets that
 * expect EAGAIN may be there. Its MSG_ZEROCOPY is not reported as done, and what kTLS is given to
 * encrypt would be redirected as it is. */
static __always_inline enum hawser_local_unfit client_unfit(struct tcp_sock *tcp)
{
	struct sock *sock = (struct sock *)tcp;

	if (!(sock->sk_socket->file->f_flags & nonblock_flag))
		return HAWSER_LOCAL_BLOCKING;
	if (sock->__sk_common.skc_flags &
	    1UL << bpf_core_enum_value(enum sock_flags, SOCK_ZEROCOPY))
		return HAWSER_LOCAL_ZEROCOPY;
	if (tcp->inet_conn.icsk_ulp_ops)
		return HAWSER_LOCAL_ULP;
	return HAWSER_LOCAL_FIT;
}

static __always_inline bool address_is_listened_to(const struct hawser_local_key *key)
{
	struct hawser_local_address any = key->hawserd;

	if (bpf_map_lookup_elem(&listeners, &key->hawserd))
		return true;
	/* Any address of this host. A connection to an own address also comes from there. */
	for (int i = 0; i < 4; i++)
		if (key->client.ip[i] != key->hawserd.ip[i])
			return false;
	if (any.ip[0] == 0 && any.ip[1] == 0 && any.ip[2] == MAPPED)
		any.ip[3] = 0;
	else
		__builtin_memset(any.ip, 0, sizeof(any.ip));
	return bpf_map_lookup_elem(&listeners, &any);
}

/* False for what is neither IPv4 nor IPv6, or IPv4 on an IPv6 socket: in a sockmap, those would
 * switch the methods of all IPv6 sockets to and fro. */
static __always_inline bool key_from_ops(struct hawser_local_key *key, struct bpf_sock_ops *ops)
{
	if (ops->family == FAMILY_IPV4) {
		key->client.ip[2] = MAPPED;
		key->client.ip[3] = ops->local_ip4;
		key->hawserd.ip[2] = MAPPED;
		key->hawserd.ip[3] = ops->remote_ip4;
		BRANCH_END();
	} else if (ops->family == FAMILY_IPV6) {
		key->client.ip[0] = ops->local_ip6[0];
		key->client.ip[1] = ops->local_ip6[1];
		key->client.ip[2] = ops->local_ip6[2];
		key->client.ip[3] = ops->local_ip6[3];
		key->hawserd.ip[0] = ops->remote_ip6[0];
		key->hawserd.ip[1] = ops->remote_ip6[1];
		key->hawserd.ip[2] = ops->remote_ip6[2];
		key->hawserd.ip[3] = ops->remote_ip6[3];
		if (key->hawserd.ip[0] == 0 && key->hawserd.ip[1] == 0 &&
		    key->hawserd.ip[2] == MAPPED)
			return false;
	} else {
		return false;
	}
	key->client.port = ops->local_port;
	key->hawserd.port = bpf_ntohl(ops->remote_port);
	return true;
}

static __always_inline void key_from_msg(struct hawser_local_key *key, struct sk_msg_md *msg)
{
	if (msg->family == FAMILY_IPV4) {
		key->client.ip[2] = MAPPED;
		key->client.ip[3] = msg->local_ip4;
		key->hawserd.ip[2] = MAPPED;
		key->hawserd.ip[3] = msg->remote_ip4;
		BRANCH_END();
	} else {
		key->client.ip[0] = msg->local_ip6[0];
		key->client.ip[1] = msg->local_ip6[1];
		key->client.ip[2] = msg->local_ip6[2];
		key->client.ip[3] = msg->local_ip6[3];
		key->hawserd.ip[0] = msg->remote_ip6[0];
		key->hawserd.ip[1] = msg->remote_ip6[1];
		key->hawserd.ip[2] = msg->remote_ip6[2];
		key->hawserd.ip[3] = msg->remote_ip6[3];
	}
	key->client.port = msg->local_port;
	key->hawserd.port = bpf_ntohl(msg->remote_port);
}

static __always_inline void client_connected(struct bpf_sock_ops *ops)
{
	/* Data in the SYN may be acknowledged already; the SYN itself counts one. */
	struct hawser_local_connection connection = {
		.base = ops->snd_una - (__u32)ops->bytes_acked + 1,
		.slot = HAWSER_LOCAL_NO_SLOT,
	};
	struct hawser_local_key key = {};
	struct tcp_sock *tcp;

	if (!key_from_ops(&key, ops) || !address_is_listened_to(&key) ||
	    bpf_get_netns_cookie(ops) != netns_cookie)
		return;
	tcp = ops->sk ? bpf_skc_to_tcp_sock(ops->sk) : NULL;
	if (!tcp || client_unfit(tcp) != HAWSER_LOCAL_FIT)
		return;
	if (bpf_map_update_elem(&connections, &key, &connection, BPF_ANY))
		return;
	/* An MPTCP subflow is refused here. */
	if (bpf_sock_hash_update(ops, &clients, &key, BPF_ANY))
		bpf_map_delete_elem(&connections, &key);
	else
		bpf_sock_ops_cb_flags_set(ops,
					  ops->bpf_sock_ops_cb_flags | BPF_SOCK_OPS_STATE_CB_FLAG);
}

SEC("sockops")
int hawser_local_ops(struct bpf_sock_ops *ops)
{
	struct hawser_local_key key = {};

	if (ops->op == BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB)
		client_connected(ops);
	else if (ops->op == BPF_SOCK_OPS_STATE_CB && ops->args[1] == STATE_CLOSED &&
		 bpf_get_netns_cookie(ops) == netns_cookie && key_from_ops(&key, ops))
		bpf_map_delete_elem(&connections, &key);
	return 1;
}

/* Whether size bytes may overtake TCP now. hawserd's recv() takes what was redirected first, then
 * what came by TCP. So after a byte went by TCP nothing may be redirected until hawserd has read
 * all there is; the other way around needs no care. What went by TCP is counted by TCP itself. */
static __always_inline bool flow_may_redirect(struct hawser_local_flow *flow, __u32 write_seq,
					      __u32 size)
{
	__u32 read = (__u32) * (volatile __u64 *)&flow->read;
	__u32 waiting = write_seq - flow->base + (__u32)flow->redirected - read;

	if (waiting == 0) {
		flow->mark = write_seq;
		flow->messages = 0;
	} else if (flow->mark != write_seq) {
		return false;
	}
	/* From here on all that waits was redirected. */
	return waiting <= budget_bytes && size <= budget_bytes - waiting &&
	       flow->messages < budget_messages;
}

SEC("sk_msg")
int hawser_local_send(struct sk_msg_md *msg)
{
	struct hawser_local_connection *connection;
	struct hawser_local_key key = {};
	struct hawser_local_flow *flow;
	struct tcp_sock *tcp;
	__u32 slot;

	key_from_msg(&key, msg);
	connection = bpf_map_lookup_elem(&connections, &key);
	if (!connection)
		return SK_PASS;
	slot = connection->slot;
	flow = bpf_map_lookup_elem(&flows, &slot);
	if (!flow || bpf_get_netns_cookie(msg) != netns_cookie)
		return SK_PASS;
	tcp = msg->sk ? bpf_skc_to_tcp_sock(msg->sk) : NULL;
	if (!tcp)
		return SK_PASS;
	if (!flow->unfit)
		flow->unfit = client_unfit(tcp);
	if (flow->unfit || !flow_may_redirect(flow, tcp->write_seq, msg->size)) {
		flow->passed += msg->size;
		flow->passes++;
		return SK_PASS;
	}
	/* Counted before it is done, and all of it even if the kernel, out of memory, takes only
	 * some and asks again for the rest: a count too high means TCP from then on. */
	flow->redirected += msg->size;
	flow->messages++;
	flow->redirects++;
	return (int)bpf_msg_redirect_hash(msg, &accepted, &key, BPF_F_INGRESS);
}

char LICENSE[] SEC("license") = "GPL";
