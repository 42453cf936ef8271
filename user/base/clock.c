/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The time, and a steady clock. */
#include "base/clock.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int64_t epoch_ns; /* what to add to CLOCK_BOOTTIME */

static int64_t read_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void take_epoch(void)
{
	epoch_ns = read_ns(CLOCK_REALTIME) - read_ns(CLOCK_BOOTTIME);
}

uint64_t clock_now_ms(void)
{
	pthread_once(&once, take_epoch);
	return (uint64_t)((epoch_ns + read_ns(CLOCK_BOOTTIME)) / 1000000);
}

uint64_t clock_calendar_ms(void)
{
	return (uint64_t)read_ns(CLOCK_REALTIME) / 1000000;
}

uint64_t clock_monotonic_ns(void)
{
	return (uint64_t)read_ns(CLOCK_MONOTONIC);
}

double clock_monotonic_s(void)
{
	return (double)clock_monotonic_ns() / 1e9;
}

char *clock_text(uint64_t ms, bool milliseconds, char out[CLOCK_TEXT_MAX])
{
	const time_t seconds = (time_t)(ms / 1000);
	struct tm utc = {0};
	size_t len;

	gmtime_r(&seconds, &utc);
	len = strftime(out, CLOCK_TEXT_MAX, "%Y-%m-%dT%H:%M:%S", &utc);
	if (milliseconds)
		snprintf(out + len, CLOCK_TEXT_MAX - len, ".%03uZ", (unsigned int)(ms % 1000));
	else
		snprintf(out + len, CLOCK_TEXT_MAX - len, "Z");
	return out;
}
