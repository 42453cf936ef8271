/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Preloaded, it adds to the time of day the seconds that stand in the file STEPPING_CLOCK names,
 * which may change at any time. Steady clocks stay as they are. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int (*real_clock_gettime)(clockid_t clock, struct timespec *out);
static long (*real_syscall)(long number, ...);
static const _Atomic int64_t *step_s;

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("STEPPING_CLOCK");
	const int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *map;

	real_clock_gettime =
		(int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
	real_syscall = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
	if (fd < 0)
		abort();
	map = mmap(NULL, sizeof(*step_s), PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		abort();
	step_s = map;
	close(fd);
}

int clock_gettime(clockid_t clock, struct timespec *out)
{
	int result;

	if (!real_clock_gettime)
		begin();
	result = real_clock_gettime(clock, out);
	if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
		out->tv_sec += (time_t)atomic_load(step_s);
	return result;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
	struct timespec now;

	(void)zone;
	if (clock_gettime(CLOCK_REALTIME, &now))
		return -1;
	*out = (struct timeval){.tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000};
	return 0;
}

time_t time(time_t *out)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (out)
		*out = now.tv_sec;
	return now.tv_sec;
}

/* libev asks so. */
long syscall(long number, ...)
{
	long argument[6];
	va_list list;

	va_start(list, number);
	for (int i = 0; i < 6; i++)
		argument[i] = va_arg(list, long);
	va_end(list);
	if (number == SYS_clock_gettime)
		return clock_gettime((clockid_t)argument[0], (struct timespec *)argument[1]);
	if (!real_syscall)
		begin();
	return real_syscall(number, argument[0], argument[1], argument[2], argument[3], argument[4],
			    argument[5]);
}
