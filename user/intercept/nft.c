/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nftables by libnftables: commands in, all of them done or none. */
#include "intercept/nft.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nftables/libnftables.h>

#include "net/netlink.h"

struct nft {
	struct nft_ctx *nft;
	char error[256];
};

/* libnftables ends the process when it gets none. */
static bool gets_socket(void)
{
	struct netlink *netlink = netlink_open(NETLINK_NETFILTER);

	netlink_close(netlink);
	return netlink != NULL;
}

struct nft *nft_open(void)
{
	struct nft *ruleset = gets_socket() ? calloc(1, sizeof(*ruleset)) : NULL;

	if (!ruleset)
		return NULL;
	ruleset->nft = nft_ctx_new(NFT_CTX_DEFAULT);
	if (!ruleset->nft || nft_ctx_buffer_error(ruleset->nft) ||
	    nft_ctx_buffer_output(ruleset->nft)) {
		nft_close(ruleset);
		return NULL;
	}
	return ruleset;
}

void nft_close(struct nft *ruleset)
{
	if (!ruleset)
		return;
	if (ruleset->nft)
		nft_ctx_free(ruleset->nft);
	free(ruleset);
}

static int on_chain(const struct nlmsghdr *header, void *context)
{
	const struct nlattr *attribute;

	mnl_attr_for_each(attribute, header, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(attribute) == NFTA_CHAIN_USE &&
		    mnl_attr_validate(attribute, MNL_TYPE_U32) >= 0)
			*(uint32_t *)context = ntohl(mnl_attr_get_u32(attribute));
	}
	return MNL_CB_OK;
}

struct question {
	uint16_t message;
	uint16_t flags;
	uint8_t family;
	const char *table; /* NULL: none. NFTA_*_TABLE is 1 for all */
	uint16_t type;	   /* of name */
	const char *name;  /* NULL: none */
};

/* on_answer: NULL if it is not wanted. 0 or -errno. */
static int ask_kernel(const struct question *question, mnl_cb_t on_answer, void *context)
{
	struct netlink *netlink = netlink_open(NETLINK_NETFILTER);
	struct nfgenmsg *about;
	struct nlmsghdr *request;
	int err;

	if (!netlink)
		return -errno;
	request = netlink_begin(netlink, NFNL_SUBSYS_NFTABLES << 8 | question->message,
				question->flags);
	about = mnl_nlmsg_put_extra_header(request, sizeof(*about));
	about->nfgen_family = question->family;
	if (question->table)
		mnl_attr_put_strz(request, NFTA_TABLE_NAME, question->table);
	if (question->name)
		mnl_attr_put_strz(request, question->type, question->name);
	err = netlink_send(netlink, on_answer, context);
	netlink_close(netlink);
	/* Of nfnetlink, which knows nobody by this number. */
	return err == -EINVAL ? -EOPNOTSUPP : err;
}

bool nft_is_absent(int err)
{
	return err == -EPROTONOSUPPORT || err == -EOPNOTSUPP;
}

int nft_probe(void)
{
	return ask_kernel(&(struct question){.message = NFT_MSG_GETGEN, .family = NFPROTO_UNSPEC},
			  NULL, NULL);
}

int nft_find_table(const char *name)
{
	return ask_kernel(&(struct question){.message = NFT_MSG_GETTABLE,
					     .family = NFPROTO_INET,
					     .table = name},
			  NULL, NULL);
}

int nft_count_rules(const char *table, const char *chain)
{
	uint32_t use = 0;
	const int err = ask_kernel(&(struct question){.message = NFT_MSG_GETCHAIN,
						      .family = NFPROTO_INET,
						      .table = table,
						      .type = NFTA_CHAIN_NAME,
						      .name = chain},
				   on_chain, &use);

	return err ? err : (int)use;
}

struct counting {
	int count;
	int max;
};

static int on_elements(const struct nlmsghdr *header, void *context)
{
	struct counting *counting = context;
	const struct nlattr *attribute;
	const struct nlattr *element;

	mnl_attr_for_each(attribute, header, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(attribute) != NFTA_SET_ELEM_LIST_ELEMENTS)
			continue;
		mnl_attr_for_each_nested(element, attribute) counting->count++;
	}
	return counting->count > counting->max ? MNL_CB_STOP : MNL_CB_OK;
}

int nft_count_elements(uint8_t family, const char *table, const char *set, int max)
{
	struct counting counting = {.max = max};
	const int err = ask_kernel(&(struct question){.message = NFT_MSG_GETSETELEM,
						      .flags = NLM_F_DUMP,
						      .family = family,
						      .table = table,
						      .type = NFTA_SET_ELEM_LIST_SET,
						      .name = set},
				   on_elements, &counting);

	return err ? err : counting.count;
}

/* What is not read stays in the buffer. */
static int note_error(struct nft *ruleset, int failed)
{
	const char *said = nft_ctx_get_error_buffer(ruleset->nft);

	if (!failed)
		return 0;
	said += strncmp(said, "Error: ", 7) == 0 ? 7 : 0;
	snprintf(ruleset->error, sizeof(ruleset->error), "%.*s", (int)strcspn(said, "\n"), said);
	return -EINVAL;
}

int nft_run(struct nft *ruleset, const char *commands)
{
	return note_error(ruleset, nft_run_cmd_from_buffer(ruleset->nft, commands));
}

int nft_check_file(struct nft *ruleset, const char *path)
{
	int failed;

	nft_ctx_set_dry_run(ruleset->nft, true);
	failed = nft_run_cmd_from_filename(ruleset->nft, path);
	nft_ctx_set_dry_run(ruleset->nft, false);
	return note_error(ruleset, failed);
}

int nft_list(struct nft *ruleset, const char *command, bool terse, const char **text)
{
	const unsigned int flags = NFT_CTX_OUTPUT_JSON | NFT_CTX_OUTPUT_NUMERIC_ALL;
	int err;

	nft_ctx_output_set_flags(ruleset->nft, flags | (terse ? NFT_CTX_OUTPUT_TERSE : 0));
	err = nft_run(ruleset, command);
	nft_ctx_output_set_flags(ruleset->nft, 0);
	*text = nft_ctx_get_output_buffer(ruleset->nft);
	return err;
}

const char *nft_error(const struct nft *ruleset)
{
	return ruleset->error;
}
