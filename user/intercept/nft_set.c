/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Elements of the sets in the nftables table "inet hawser", by netlink. */
#include "intercept/nft_set.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <libnftnl/common.h>
#include <libnftnl/set.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

/* Of one transaction; some 60 bytes for each element and message. */
#define BATCH_BYTES  65536
#define ANSWER_BYTES 8192
#define ELEMENTS_MAX 256

struct batch {
	char bytes[BATCH_BYTES];
	struct mnl_nlmsg_batch *messages;
	uint32_t seq;
};

static int batch_begin(struct batch *batch)
{
	batch->messages = mnl_nlmsg_batch_start(batch->bytes, sizeof(batch->bytes) / 2);
	if (!batch->messages)
		return -ENOMEM;
	batch->seq = 1;
	nftnl_batch_begin(mnl_nlmsg_batch_current(batch->messages), batch->seq++);
	mnl_nlmsg_batch_next(batch->messages);
	return 0;
}

static int batch_add(struct batch *batch, uint16_t type, const char *name,
		     const struct nft_set_element *elements, size_t count, uint64_t timeout_ms)
{
	struct nftnl_set *set = nftnl_set_alloc();
	struct nlmsghdr *message;
	int err = -ENOMEM;

	if (!set || nftnl_set_set_str(set, NFTNL_SET_TABLE, "hawser") ||
	    nftnl_set_set_str(set, NFTNL_SET_NAME, name))
		goto out;
	for (size_t i = 0; i < count; i++) {
		struct nftnl_set_elem *element = nftnl_set_elem_alloc();

		if (!element)
			goto out;
		/* The set frees it from now on. */
		nftnl_set_elem_add(set, element);
		if (nftnl_set_elem_set(element, NFTNL_SET_ELEM_KEY, elements[i].key,
				       elements[i].key_len))
			goto out;
		if (timeout_ms)
			nftnl_set_elem_set_u64(element, NFTNL_SET_ELEM_TIMEOUT, timeout_ms);
	}
	message = nftnl_nlmsg_build_hdr(mnl_nlmsg_batch_current(batch->messages), type,
					NFPROTO_INET, NLM_F_CREATE, batch->seq++);
	nftnl_set_elems_nlmsg_build_payload(message, set);
	/* Half of the buffer is room to build in, and no message is longer. */
	err = mnl_nlmsg_batch_next(batch->messages) ? 0 : -EMSGSIZE;
out:
	if (set)
		nftnl_set_free(set);
	return err;
}

/* The kernel has done all, or refused, before send() returns: what is to be read is there. */
static int read_refusal(const struct mnl_socket *netlink)
{
	char answer[ANSWER_BYTES];
	ssize_t len;

	while ((len = recv(mnl_socket_get_fd(netlink), answer, sizeof(answer), MSG_DONTWAIT)) > 0)
		if (mnl_cb_run(answer, (size_t)len, 0, 0, NULL, NULL) < 0)
			return -errno;
	return 0;
}

static int batch_send(struct batch *batch)
{
	struct mnl_socket *netlink = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	int err;

	if (!netlink)
		return -errno;
	nftnl_batch_end(mnl_nlmsg_batch_current(batch->messages), batch->seq++);
	mnl_nlmsg_batch_next(batch->messages);
	if (mnl_socket_bind(netlink, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_sendto(netlink, mnl_nlmsg_batch_head(batch->messages),
			      mnl_nlmsg_batch_size(batch->messages)) < 0)
		err = -errno;
	else
		err = read_refusal(netlink);
	mnl_socket_close(netlink);
	return err;
}

/* One transaction of these kinds of message, each with all elements, the timeout in the last. */
static int change(const uint16_t *types, size_t type_count, const char *set,
		  const struct nft_set_element *elements, size_t count, uint64_t timeout_ms)
{
	struct batch *batch;
	int err;

	if (count > ELEMENTS_MAX)
		return -EMSGSIZE;
	batch = malloc(sizeof(*batch));
	if (!batch)
		return -ENOMEM;
	err = batch_begin(batch);
	for (size_t i = 0; !err && i < type_count; i++)
		err = batch_add(batch, types[i], set, elements, count,
				i + 1 == type_count ? timeout_ms : 0);
	if (!err)
		err = batch_send(batch);
	if (batch->messages)
		mnl_nlmsg_batch_stop(batch->messages);
	free(batch);
	return err;
}

/* An element that is there keeps its timeout before 6.12. So it is deleted first; and to be sure
 * that it can be, added before. */
int nft_set_renew(const char *set, const struct nft_set_element *elements, size_t count,
		  uint64_t timeout_ms)
{
	static const uint16_t types[] = {NFT_MSG_NEWSETELEM, NFT_MSG_DELSETELEM,
					 NFT_MSG_NEWSETELEM};

	return change(types, 3, set, elements, count, timeout_ms);
}

int nft_set_delete(const char *set, const struct nft_set_element *elements, size_t count)
{
	static const uint16_t types[] = {NFT_MSG_DELSETELEM};

	return change(types, 1, set, elements, count, 0);
}
