/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names to addresses for a program that may wait, by c-ares as hawserd does it; and whether the
 * name servers answer at all. */
#ifndef HAWSER_DOCTOR_DNS_H
#define HAWSER_DOCTOR_DNS_H

#include <stdbool.h>

#include "config/link_config.h"

/* Fills out with an address of each family, AF_UNSPEC without; ports 0. NULL when there is one,
 * else why not. */
const char *doctor_dns_find(const char *host, union address out[IP_FAMILIES]);

#define DOCTOR_DNS_SERVERS_MAX 8

struct doctor_dns_server {
	union address address;
	bool answers;
};

/* Asks each server of resolv.conf something that every server can answer. Returns how many there
 * are. */
size_t doctor_dns_ask(struct doctor_dns_server out[DOCTOR_DNS_SERVERS_MAX]);

#endif
