/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a link has carried of its quota. Days are compared as texts of ISO 8601. */
#include "links/quota_usage.h"

#include <stdio.h>
#include <string.h>

/* 2025-01-01: before that no clock is right. */
#define CLOCK_SET_S 1735689600

static int last_day(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return days[month] + (month == 1 && leap ? 1 : 0);
}

/* In this month, counted from 0. */
static int first_day(int year, int month, unsigned int reset_day)
{
	const int last = last_day(year, month);

	return (int)reset_day < last ? (int)reset_day : last;
}

void quota_usage_month(time_t now, unsigned int reset_day, bool next, char out[LINK_DAY_TEXT_MAX])
{
	struct tm local = {0};
	int months;

	localtime_r(&now, &local);
	months = 12 * (local.tm_year + 1900) + local.tm_mon;
	if (local.tm_mday < first_day(months / 12, months % 12, reset_day))
		months--;
	months += next;
	/* The year has four digits, which the compiler cannot know. */
	snprintf(out, LINK_DAY_TEXT_MAX, "%04u-%02u-%02u", (unsigned int)(months / 12) % 10000,
		 (unsigned int)(months % 12 + 1) % 100,
		 (unsigned int)first_day(months / 12, months % 12, reset_day) % 100);
}

/* Goes on with what is known of this month. */
static void turn_to(struct quota_usage *usage, const char since[LINK_DAY_TEXT_MAX])
{
	struct link_month next = {0};
	size_t place = LINK_MONTHS_KEPT - 1;

	memcpy(next.since, since, sizeof(next.since));
	for (size_t i = 0; i < LINK_MONTHS_KEPT; i++) {
		if (strcmp(usage->others[i].since, since) != 0)
			continue;
		next = usage->others[i];
		place = i;
	}
	memmove(&usage->others[1], &usage->others[0], place * sizeof(usage->others[0]));
	usage->others[0] = usage->month;
	usage->month = next;
}

/* A day earlier in the same month is not another month, but another reset_day. */
static bool is_other_month(const char *since, const char *current, time_t now)
{
	const bool earlier = strcmp(since, current) < 0;

	if (!*current || strcmp(since, current) > 0)
		return true;
	return earlier && now >= CLOCK_SET_S && strncmp(since, current, strlen("2026-11")) != 0;
}

void quota_usage_take(struct quota_usage *usage, time_t now, unsigned int reset_day, int device,
		      uint64_t counter)
{
	char since[LINK_DAY_TEXT_MAX];
	const bool goes_on = device == usage->device && counter >= usage->counter;

	quota_usage_month(now, reset_day, false, since);
	if (is_other_month(since, usage->month.since, now))
		turn_to(usage, since);
	if (usage->begun)
		usage->month.bytes += goes_on ? counter - usage->counter : counter;
	usage->begun = true;
	usage->device = device;
	usage->counter = counter;
}

void quota_usage_reboot(struct quota_usage *usage)
{
	usage->device = 0;
	usage->counter = 0;
}
