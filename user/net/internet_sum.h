/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The checksum of IPv4, ICMP and TCP (RFC 1071). Pure. */
#ifndef HAWSER_NET_INTERNET_SUM_H
#define HAWSER_NET_INTERNET_SUM_H

#include <stddef.h>
#include <stdint.h>

/* Adds bytes, at most 64 KiB, as numbers of two; only the last piece of a sum may be odd. */
uint32_t internet_sum(const void *bytes, size_t len, uint32_t sum);

/* 0xffff for what has its right checksum in it. */
uint16_t internet_sum_fold(uint32_t sum);

/* What the header's field is to have, in network byte order. */
uint16_t internet_checksum(uint32_t sum);

#endif
