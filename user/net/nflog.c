/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets that a rule of nftables logs to a group. */
#include "net/nflog.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>

#include "base/permitted.h"

/* A message has a packet and some attributes; several may come at once. */
#define READ_BYTES    65536
#define REQUEST_BYTES 256
#define PACKET_BYTES  2048
/* Messages read before others get their turn. */
#define READ_BATCH 64
/* A burst waits here; each message takes about 2 KB of it. */
#define QUEUE_BYTES (2 << 20)

/* One attribute for the group, acknowledged. 0 or -errno. */
static int configure(struct mnl_socket *log, uint16_t group, uint16_t type, const void *value,
		     size_t len)
{
	char buffer[READ_BYTES] = {0};
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct nfgenmsg *header;
	ssize_t n;

	request->nlmsg_type = NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_CONFIG;
	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	request->nlmsg_seq = type;
	header = mnl_nlmsg_put_extra_header(request, sizeof(*header));
	header->nfgen_family = AF_UNSPEC;
	header->version = NFNETLINK_V0;
	header->res_id = htons(group);
	mnl_attr_put(request, type, len, value);
	if (mnl_socket_sendto(log, request, request->nlmsg_len) < 0)
		return -errno;
	/* Packets may come before the answer to a later request, and are lost. */
	do {
		n = mnl_socket_recvfrom(log, buffer, sizeof(buffer));
		if (n < 0)
			return -errno;
	} while (((struct nlmsghdr *)buffer)->nlmsg_type != NLMSG_ERROR);
	n = mnl_cb_run(buffer, (size_t)n, type, mnl_socket_get_portid(log), NULL, NULL);
	return n < 0 ? -errno : 0;
}

static bool has_right(void)
{
	uint64_t permitted;

	return permitted_get(&permitted) == 0 && permitted >> CAP_NET_ADMIN & 1;
}

int nflog_open(uint16_t group, struct mnl_socket **out)
{
	const struct nfulnl_msg_config_cmd bind = {.command = NFULNL_CFG_CMD_BIND};
	const struct nfulnl_msg_config_mode mode = {.copy_range = htonl(PACKET_BYTES),
						    .copy_mode = NFULNL_COPY_PACKET};
	const uint32_t at_once = htonl(1);
	const int queue = QUEUE_BYTES;
	struct mnl_socket *log = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	int err;

	if (!log)
		return -errno;
	err = mnl_socket_bind(log, 0, MNL_SOCKET_AUTOPID) < 0 ? -errno : 0;
	if (!err)
		err = configure(log, group, NFULA_CFG_CMD, &bind, sizeof(bind));
	/* Which is said to who comes second, too (nfulnl_recv_config() as in 6.18). */
	if (err == -EPERM && has_right())
		err = -EBUSY;
	if (!err)
		err = configure(log, group, NFULA_CFG_MODE, &mode, sizeof(mode));
	if (!err)
		err = configure(log, group, NFULA_CFG_QTHRESH, &at_once, sizeof(at_once));
	if (err) {
		mnl_socket_close(log);
		return err;
	}
	(void)setsockopt(mnl_socket_get_fd(log), SOL_SOCKET, SO_RCVBUFFORCE, &queue, sizeof(queue));
	*out = log;
	return 0;
}

void nflog_close(struct mnl_socket *log)
{
	if (log)
		mnl_socket_close(log);
}

int nflog_fd(const struct mnl_socket *log)
{
	return mnl_socket_get_fd(log);
}

struct reading {
	nflog_fn *receive;
	void *context;
};

static int on_message(const struct nlmsghdr *message, void *data)
{
	const struct reading *reading = data;
	struct nlattr *attribute;

	if (message->nlmsg_type != (NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET))
		return MNL_CB_OK;
	mnl_attr_for_each(attribute, message,
			  sizeof(struct nfgenmsg)) if (mnl_attr_get_type(attribute) ==
						       NFULA_PAYLOAD)
		reading->receive(reading->context, mnl_attr_get_payload(attribute),
				 mnl_attr_get_payload_len(attribute));
	return MNL_CB_OK;
}

bool nflog_read(struct mnl_socket *log, nflog_fn *receive, void *context)
{
	struct reading reading = {.receive = receive, .context = context};
	char buffer[READ_BYTES];

	for (int i = 0; i < READ_BATCH; i++) {
		const ssize_t n = recv(nflog_fd(log), buffer, sizeof(buffer), MSG_DONTWAIT);

		if (n < 0 && errno != ENOBUFS)
			return false;
		if (n > 0)
			(void)mnl_cb_run(buffer, (size_t)n, 0, 0, on_message, &reading);
	}
	return true;
}
