/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether this kernel holds MPTCP back. No socket tells; a counter of the network namespace does.
 */
#include "net/mptcp_blackhole.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNTERS "/proc/thread-self/net/netstat"
#define GROUP	 "MPTcpExt:"
#define COUNTER	 "MPCapableSYNTXDisabled"

/* The counter rises when a connect begins, and another dial may be the first to see that. So a rise
 * holds for as long as a connect can take: 127 s with the kernel's six SYNs. */
#define HOLD_S 150.

/* names and values are lines "GROUP: word word…"; the value of that name, 0 without. */
static uint64_t value_of(char *names, char *values, const char *wanted)
{
	char *names_left;
	char *values_left;
	char *name = strtok_r(names, " \n", &names_left);
	char *value = strtok_r(values, " \n", &values_left);

	while (name && value) {
		if (strcmp(name, wanted) == 0)
			return strtoull(value, NULL, 10);
		name = strtok_r(NULL, " \n", &names_left);
		value = strtok_r(NULL, " \n", &values_left);
	}
	return 0;
}

/* 0 where the kernel does not count it. */
static uint64_t count_held_back(void)
{
	FILE *file = fopen(COUNTERS, "re");
	uint64_t count = 0;
	char *names = NULL;
	char *values = NULL;
	size_t names_size = 0;
	size_t values_size = 0;

	if (!file)
		return 0;
	while (getline(&names, &names_size, file) > 0 && getline(&values, &values_size, file) > 0) {
		if (strncmp(names, GROUP, strlen(GROUP)) != 0)
			continue;
		count = value_of(names, values, COUNTER);
		break;
	}
	free(names);
	free(values);
	fclose(file);
	return count;
}

void mptcp_blackhole_init(struct mptcp_blackhole *pause)
{
	*pause = (struct mptcp_blackhole){.held_back = count_held_back()};
}

bool mptcp_blackhole_likely(struct mptcp_blackhole *pause, double now_s)
{
	uint64_t held_back = count_held_back();

	if (held_back != pause->held_back)
		pause->until_s = now_s + HOLD_S;
	pause->held_back = held_back;
	return now_s < pause->until_s;
}
