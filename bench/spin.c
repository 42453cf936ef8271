/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What CPU a load really costs: one SCHED_IDLE thread per CPU looks at the clock without a pause.
 * Where it sees time jump, somebody else had the CPU: a process, an interrupt or the hypervisor.
 *
 * It yields often. A task that wakes up while it has had more than its share, as kernel threads
 * that sockmap has work for, is not eligible at first (EEVDF), and by the time that it is nobody
 * looks again before the next timer tick: 32 x 64 B took 0.6 of the rate that they had without
 * spinners (6.18). */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SAMPLE_MS 10
/* No interrupt is as short as this, and no look at the clock as long, unless it is a system call;
 * then the jumps that count are longer. */
#define JUMP_NS	      1000
#define JUMP_READS    8
#define CACHE_LINE    64
#define NS_PER_S      1000000000ULL
#define FIRST_SAMPLES 1024
/* Not each time, as a yield is a jump on slow machines. */
#define YIELD_EVERY_NS 10000

/* Not the thread's CPU time, though that is simpler: interrupts, and the packets that are handled
 * at their end, are booked on whom they interrupt. */
struct spinner {
	_Alignas(CACHE_LINE) _Atomic uint64_t idle_ns;
	uint64_t jump_ns;
	int cpu;
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static void fail(const char *what, int error)
{
	fprintf(stderr, "spin: %s: %s\n", what, strerror(error));
	exit(1);
}

static uint64_t find_jump_ns(void)
{
	uint64_t shortest = UINT64_MAX;

	for (int i = 0; i < 1000; i++) {
		uint64_t before = now_ns();
		uint64_t read_ns = now_ns() - before;

		if (read_ns < shortest)
			shortest = read_ns;
	}
	return shortest * JUMP_READS > JUMP_NS ? shortest * JUMP_READS : JUMP_NS;
}

static void *spin(void *argument)
{
	const struct sched_param none = {0};
	struct spinner *spinner = argument;
	uint64_t idle_ns = 0;
	uint64_t last_ns;
	uint64_t yielded_ns;
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(spinner->cpu, &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus))
		fail("pin to a CPU", errno);
	if (sched_setscheduler(0, SCHED_IDLE, &none))
		fail("SCHED_IDLE", errno);
	last_ns = now_ns();
	yielded_ns = last_ns;
	for (;;) {
		uint64_t now = now_ns();

		if (now - yielded_ns >= YIELD_EVERY_NS) {
			sched_yield();
			yielded_ns = now;
		}
		if (now - last_ns < spinner->jump_ns) {
			idle_ns += now - last_ns;
			atomic_store_explicit(&spinner->idle_ns, idle_ns, memory_order_relaxed);
		}
		last_ns = now;
	}
	return NULL;
}

static size_t start_spinners(struct spinner **spinners)
{
	size_t count = 0;
	cpu_set_t cpus;
	pthread_t thread;
	uint64_t jump_ns = find_jump_ns();

	if (sched_getaffinity(0, sizeof(cpus), &cpus))
		fail("list the CPUs", errno);
	*spinners = aligned_alloc(CACHE_LINE, (size_t)CPU_COUNT(&cpus) * sizeof(**spinners));
	if (!*spinners)
		fail("spinners", ENOMEM);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		struct spinner *spinner = &(*spinners)[count];
		int error;

		if (!CPU_ISSET(cpu, &cpus))
			continue;
		*spinner = (struct spinner){.cpu = cpu, .jump_ns = jump_ns};
		error = pthread_create(&thread, NULL, spin, spinner);
		if (error)
			fail("thread", error);
		count++;
	}
	return count;
}

/* A row per sample: the time, then the idle time of each CPU so far. */
struct samples {
	uint64_t *rows;
	size_t width;
	size_t count;
	size_t room;
};

static void sample(struct samples *samples, struct spinner *spinners)
{
	uint64_t *row;

	if (samples->count == samples->room) {
		size_t room = samples->room ? samples->room * 2 : FIRST_SAMPLES;
		uint64_t *rows = reallocarray(samples->rows, room, samples->width * sizeof(*rows));

		if (!rows)
			fail("samples", ENOMEM);
		samples->rows = rows;
		samples->room = room;
	}
	row = &samples->rows[samples->count++ * samples->width];
	row[0] = now_ns();
	for (size_t i = 1; i < samples->width; i++)
		row[i] = atomic_load_explicit(&spinners[i - 1].idle_ns, memory_order_relaxed);
}

static void print(const struct samples *samples)
{
	for (size_t i = 0; i < samples->count; i++)
		for (size_t column = 0; column < samples->width; column++)
			printf("%" PRIu64 "%c", samples->rows[i * samples->width + column],
			       column + 1 < samples->width ? ' ' : '\n');
}

/* Ends, and prints the samples, when its standard input is closed: whoever starts it chooses
 * afterwards between which times to look. */
int main(void)
{
	struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
	struct samples samples = {0};
	struct spinner *spinners;

	samples.width = 1 + start_spinners(&spinners);
	do
		sample(&samples, spinners);
	while (poll(&input, 1, SAMPLE_MS) == 0);
	sample(&samples, spinners);
	print(&samples);
	return 0;
}
