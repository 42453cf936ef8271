/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Figures of the process, named as all programs name them for Prometheus. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "daemon/metrics.h"
#include "web/exposition.h"

static void value(struct exposition *out, const char *name, const char *help, double number)
{
	exposition_family(out, METRIC_GAUGE, name, help);
	exposition_value(out, number, NULL);
}

/* Of /proc/self/statm: all, and what is in memory, in pages. */
static void write_memory(struct exposition *out)
{
	const double page = (double)sysconf(_SC_PAGESIZE);
	FILE *file = fopen("/proc/self/statm", "re");
	char line[128];
	char *end = line;
	double total;

	if (file && fgets(line, sizeof(line), file)) {
		total = strtod(line, &end) * page;
		value(out, "process_virtual_memory_bytes", "Virtual memory size in bytes.", total);
		value(out, "process_resident_memory_bytes", "Resident memory size in bytes.",
		      strtod(end, NULL) * page);
	}
	if (file)
		fclose(file);
}

#define CLOCK_SET_S 60.

/* Seconds since 1970. The same each time while the clock drifts; another where it was set, as that
 * of a router is after its start. */
static double start_time_s(double started_s)
{
	static double start_s;
	const double now_s = (double)clock_calendar_ms() / 1e3 - (clock_monotonic_s() - started_s);

	if (now_s < start_s - CLOCK_SET_S || now_s > start_s + CLOCK_SET_S)
		start_s = now_s;
	return start_s;
}

static double seconds(struct timeval time)
{
	return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

void metrics_write_process(double started_s, struct exposition *out)
{
	struct rusage usage = {0};
	struct rlimit limit;
	struct stat fds;

	getrusage(RUSAGE_SELF, &usage);
	exposition_family(out, METRIC_COUNTER, "process_cpu_seconds",
			  "Total user and system CPU time spent in seconds.");
	exposition_value(out, seconds(usage.ru_utime) + seconds(usage.ru_stime), NULL);
	write_memory(out);
	/* Kernels before 6.2 do not tell their number without a look at each. */
	if (stat("/proc/self/fd", &fds) == 0 && fds.st_size > 0)
		value(out, "process_open_fds", "Number of open file descriptors.",
		      (double)fds.st_size);
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		value(out, "process_max_fds", "Maximum number of open file descriptors.",
		      (double)limit.rlim_cur);
	value(out, "process_start_time_seconds",
	      "Start time of the process since unix epoch in seconds.", start_time_s(started_s));
}
