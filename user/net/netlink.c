/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One netlink socket for requests that are answered at once. */
#include "net/netlink.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

/* The kernel answers while it handles the request; this only keeps a fault from hanging us. */
#define ANSWER_TIMEOUT_S 5
#define REQUEST_BYTES	 1024
/* The kernel fills up to 32 KiB for each read of a dump. */
#define ANSWER_BYTES 32768

struct netlink {
	struct mnl_socket *socket;
	unsigned int seq;
	void *memory;
	void (*release)(void *memory);
	/* As libmnl wants messages aligned. */
	_Alignas(struct nlmsghdr) char request[REQUEST_BYTES];
	_Alignas(struct nlmsghdr) char answer[ANSWER_BYTES];
};

struct netlink *netlink_open(int bus)
{
	struct netlink *netlink = calloc(1, sizeof(*netlink));
	struct timeval timeout = {.tv_sec = ANSWER_TIMEOUT_S};
	int err;

	if (!netlink)
		return NULL;
	netlink->socket = mnl_socket_open2(bus, SOCK_CLOEXEC);
	if (!netlink->socket)
		goto out;
	if (mnl_socket_bind(netlink->socket, 0, MNL_SOCKET_AUTOPID) ||
	    setsockopt(mnl_socket_get_fd(netlink->socket), SOL_SOCKET, SO_RCVTIMEO, &timeout,
		       sizeof(timeout)))
		goto out;
	return netlink;
out:
	err = errno;
	netlink_close(netlink);
	errno = err;
	return NULL;
}

void netlink_close(struct netlink *netlink)
{
	if (!netlink)
		return;
	if (netlink->release)
		netlink->release(netlink->memory);
	if (netlink->socket)
		mnl_socket_close(netlink->socket);
	free(netlink);
}

void netlink_attach(struct netlink *netlink, void *memory, void (*release)(void *memory))
{
	netlink->memory = memory;
	netlink->release = release;
}

void *netlink_attached(const struct netlink *netlink)
{
	return netlink->memory;
}

struct nlmsghdr *netlink_begin(struct netlink *netlink, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *header = mnl_nlmsg_put_header(netlink->request);

	header->nlmsg_type = type;
	header->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	header->nlmsg_seq = ++netlink->seq;
	return header;
}

/* Whether the answer's last message is among these bytes. */
static bool is_over(const struct netlink *netlink, int len)
{
	const struct nlmsghdr *header = (const struct nlmsghdr *)netlink->answer;

	for (; mnl_nlmsg_ok(header, len); header = mnl_nlmsg_next(header, &len))
		if (header->nlmsg_seq == netlink->seq &&
		    (header->nlmsg_type == NLMSG_DONE || header->nlmsg_type == NLMSG_ERROR))
			return true;
	return false;
}

int netlink_send(struct netlink *netlink, mnl_cb_t on_message, void *context)
{
	const struct nlmsghdr *header = (const struct nlmsghdr *)netlink->request;
	unsigned int port = mnl_socket_get_portid(netlink->socket);
	int err = 0, result = MNL_CB_OK;
	bool over = false;

	if (mnl_socket_sendto(netlink->socket, header, header->nlmsg_len) < 0)
		return -errno;
	/* Also when it has failed: a dump that is not read to its end keeps the socket busy, and
	 * the next one is refused. */
	while (!over) {
		ssize_t len = mnl_socket_recvfrom(netlink->socket, netlink->answer,
						  sizeof(netlink->answer));

		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return err ? err : -errno;
		over = is_over(netlink, (int)len);
		if (err)
			continue;
		result = mnl_cb_run(netlink->answer, (size_t)len, netlink->seq, port, on_message,
				    context);
		over = over || result == MNL_CB_STOP;
		/* What a request that timed out is still owed has another number. */
		if (result < 0 && (errno != EPROTO || over))
			err = -errno;
	}
	return err;
}

uint32_t netlink_number(const struct nlattr *attribute)
{
	return mnl_attr_validate(attribute, MNL_TYPE_U32) < 0 ? 0 : mnl_attr_get_u32(attribute);
}

int netlink_list_add(void **array, size_t *count, const void *element, size_t size)
{
	if ((*count & (*count - 1)) == 0) {
		char *grown = reallocarray(*array, *count ? *count * 2 : 1, size);

		if (!grown) {
			errno = ENOMEM;
			return MNL_CB_ERROR;
		}
		*array = grown;
	}
	memcpy((char *)*array + size * (*count)++, element, size);
	return MNL_CB_OK;
}
