/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "links/link_news.h"

#include <netinet/tcp.h>

#include "links/link_choice.h"
#include "net/subflow.h"

/* An acknowledgement may be this late by the receiver's doing, beyond the round-trip time. */
#define LATE_MS 20
/* Bytes come closer together than this while a link is in use. */
#define QUIET_MS  40
#define RECENT_MS 1000

static uint32_t smaller(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* 0 is no round-trip time. */
static uint32_t shorter(uint32_t a, uint32_t b)
{
	return a == 0 || (b > 0 && b < a) ? b : a;
}

static const struct link_choice *find_choice(const struct link_choices *choices,
					     const union address *local)
{
	const enum ip_family family = address_family(local);

	for (size_t i = 0; i < choices->count; i++)
		if (choices->links[i].sources[family].sa.sa_family != AF_UNSPEC &&
		    address_same_ip(&choices->links[i].sources[family], local))
			return &choices->links[i];
	return NULL;
}

void link_signs_add(struct link_signs *signs, const struct link_choices *choices,
		    const struct subflow *subflow)
{
	const struct link_choice *link = find_choice(choices, &subflow->local);
	const uint32_t patience_ms = subflow->rtt_us / 1000 * 5 / 4 + LATE_MS;
	const uint32_t got_ms = smaller(subflow->last_data_received_ms, subflow->last_ack_ms);
	uint32_t bit;

	if (!link || subflow->state != TCP_ESTABLISHED)
		return;
	bit = 1U << link->slot;
	if (smaller(got_ms, subflow->last_data_sent_ms) < RECENT_MS) {
		signs->moving |= bit;
		signs->rtt_us[link->slot] = shorter(signs->rtt_us[link->slot], subflow->rtt_us);
	}
	if (got_ms < QUIET_MS)
		signs->alive |= bit;
	/* As sender: what was sent last, and all before, has been waiting for so long. */
	if (subflow->unacked > 0 &&
	    smaller(subflow->last_data_sent_ms, subflow->last_ack_ms) > patience_ms)
		signs->silent |= bit;
	/* As receiver: it may be the end of an answer, so this is a reason to ask, no more. */
	if (subflow->last_data_received_ms > QUIET_MS && subflow->last_data_received_ms < RECENT_MS)
		signs->silent |= bit;
}

void link_signs_add_awaited(struct link_signs *signs, const struct link_choices *choices,
			    const struct subflow *subflow)
{
	const struct link_choice *link = find_choice(choices, &subflow->local);

	if (link)
		signs->awaited |= 1U << link->slot;
}

/* Another worker may do the same. */
static void tell_rtt(_Atomic uint32_t *news, uint32_t rtt_us)
{
	uint32_t told = atomic_load(news);

	while (!atomic_compare_exchange_weak(news, &told, shorter(told, rtt_us)))
		;
}

void link_news_tell(struct link_news *news, const struct link_signs *signs)
{
	atomic_fetch_or(&news->moving, signs->moving);
	atomic_fetch_or(&news->alive, signs->alive);
	atomic_fetch_or(&news->silent, signs->silent);
	for (size_t i = 0; i < LINKS_MAX; i++) {
		if (signs->rtt_us[i] > 0)
			tell_rtt(&news->rtt_us[i], signs->rtt_us[i]);
		if (signs->awaited & 1U << i)
			atomic_fetch_add(&news->awaited[i], 1);
	}
	ev_async_send(news->loop, &news->async);
}

void link_news_overtaken(struct link_news *news, unsigned int slot)
{
	atomic_fetch_or(&news->overtaken, 1U << slot);
	ev_async_send(news->loop, &news->async);
}

void link_news_guest(struct link_news *news, unsigned int slot)
{
	atomic_fetch_or(&news->guests, 1U << slot);
}
