/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Figures of the process, named as all programs name them for Prometheus. */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/metrics.h"
#include "web/exposition.h"

static void value(struct exposition *out, const char *name, const char *help, double number)
{
	exposition_family(out, METRIC_GAUGE, name, help);
	exposition_value(out, number, NULL);
}

/* Of /proc/self/statm. */
static void write_memory(struct exposition *out)
{
	const double page = (double)sysconf(_SC_PAGESIZE);
	FILE *file = fopen("/proc/self/statm", "re");
	double total;
	double resident;
	const bool known = file && fscanf(file, "%lf %lf", &total, &resident) == 2;

	if (file)
		fclose(file);
	if (!known)
		return;
	value(out, "process_virtual_memory_bytes", "Virtual memory size in bytes.", total * page);
	value(out, "process_resident_memory_bytes", "Resident memory size in bytes.",
	      resident * page);
}

/* Seconds since 1970; 0: unknown. */
static double start_time_s(void)
{
	unsigned long long ticks = 0;
	double boot_s = 0;
	char line[1024];
	FILE *file = fopen("/proc/self/stat", "re");
	const char *after = file && fgets(line, sizeof(line), file) ? strrchr(line, ')') : NULL;

	/* The 22nd field; the name may have blanks. */
	if (!after || sscanf(after + 1,
			     " %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
			     "%*s %*s %llu",
			     &ticks) != 1)
		ticks = 0;
	if (file)
		fclose(file);
	file = fopen("/proc/stat", "re");
	while (file && fgets(line, sizeof(line), file) && sscanf(line, "btime %lf", &boot_s) != 1)
		;
	if (file)
		fclose(file);
	return ticks && boot_s > 0 ? boot_s + (double)ticks / (double)sysconf(_SC_CLK_TCK) : 0;
}

static double seconds(struct timeval time)
{
	return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

void metrics_write_process(struct exposition *out)
{
	const double start_s = start_time_s();
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
	if (start_s > 0)
		value(out, "process_start_time_seconds",
		      "Start time of the process since unix epoch in seconds.", start_s);
}
