/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The time, for what is compared with another host's, and a steady clock for all threads. */
#ifndef HAWSER_BASE_CLOCK_H
#define HAWSER_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* Milliseconds since 1970, UTC, as this host's clock said at the first call, and what has passed
 * since then, also while the host slept. Steps of the clock after that do not move it. */
uint64_t clock_now_ms(void);

/* The same, as this host's clock says now: to be shown, and to find the day. */
uint64_t clock_calendar_ms(void);

/* As bpf_ktime_get_ns() tells it. */
uint64_t clock_monotonic_ns(void);

/* Seconds since some time before the start. */
double clock_monotonic_s(void);

#define CLOCK_TEXT_MAX sizeof("12345-11-29T00:00:00.000Z")

/* Of milliseconds since 1970, by RFC 3339, to the second or to the millisecond. Returns out. */
char *clock_text(uint64_t ms, bool milliseconds, char out[CLOCK_TEXT_MAX]);

#endif
