/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/internet_sum.h"

#include <arpa/inet.h>

uint32_t internet_sum(const void *bytes, size_t len, uint32_t sum)
{
	const uint8_t *at = bytes;

	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)at[i] << 8 | at[i + 1];
	return len % 2 ? sum + ((uint32_t)at[len - 1] << 8) : sum;
}

uint16_t internet_sum_fold(uint32_t sum)
{
	sum = (sum >> 16) + (sum & 0xffff);
	return (uint16_t)(sum + (sum >> 16));
}

uint16_t internet_checksum(uint32_t sum)
{
	return htons((uint16_t)~internet_sum_fold(sum));
}
