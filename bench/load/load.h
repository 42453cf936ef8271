/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of the load tool share. Both ends run on one machine: all times are nanoseconds
 * of its CLOCK_MONOTONIC, also those that one end tells the other. */
#ifndef HAWSER_BENCH_LOAD_H
#define HAWSER_BENCH_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdnoreturn.h>
#include <time.h>

#define NS_PER_S 1000000000ULL

enum work {
	WORK_DOWNLOAD,
	WORK_UPLOAD,
	WORK_DUPLEX, /* download and upload on each connection at once */
	WORK_EXCHANGE,
	WORK_CHURN, /* a connection for each exchange */
	WORK_IDLE,  /* silent connections */
	WORK_ENDS,  /* no load: whether ends come through */
};

/* The first bytes of every connection: what the client asks of the server. */
struct hello {
	uint64_t magic;
	uint32_t work; /* enum work */
	uint32_t request_bytes;
	uint32_t response_bytes;
	uint32_t turns;	       /* exchanges before a stream */
	uint64_t stream_bytes; /* a stream ends after so many; 0: at to_ns */
	uint64_t from_ns;      /* only what arrives from here … */
	uint64_t to_ns;	       /* … to here is counted */
};
_Static_assert(sizeof(struct hello) == 48, "crosses the wire");

/* How a receiver reads. By default as most programs do: a copy, and a wake-up for all that comes.
 */
struct reading {
	size_t buffer_bytes;
	int low_water_bytes; /* SO_RCVLOWAT; 0: unset */
};

struct plan {
	const char *to;
	const char *proxy; /* NULL: none */
	bool mptcp;
	bool nonblocking;
	enum work work;
	size_t connections;
	uint32_t request_bytes;
	uint32_t response_bytes;
	uint32_t turns;	       /* exchanges before a stream */
	double per_second;     /* exchanges, over all connections; 0: each as soon as it can */
	uint64_t stream_bytes; /* 0: for the whole duration */
	uint64_t warm_up_ns;
	uint64_t duration_ns;
	struct reading reading;
};

static inline uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

const char *work_name(enum work work);

/* What each connection of the plan begins with. Its window begins now, after the warm-up. */
struct hello plan_hello(const struct plan *plan);

noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* With a status of its own: a measurement that fails so must not be tried again. */
noreturn void die_of_wrong_bytes(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* net.c. Addresses are ADDR:PORT or [ADDR]:PORT. What fails ends the program. */
int net_listen(const char *address, bool mptcp);
int net_connect(const struct plan *plan); /* through the proxy, if there is one */
void net_set_nodelay(int fd);
/* For a call on fd that failed: true after EINTR, or when events came that EAGAIN asks for. */
bool net_again(int fd, short events);
bool net_is_mptcp(int fd);			   /* and not fallen back to TCP */
void net_read_all(int fd, void *data, size_t len); /* at least up to len, or the end is an error */
void net_write_all(int fd, const void *data, size_t len);

/* pattern.c: what streams consist of. */
#define PATTERN_BYTES ((size_t)256 * 1024)
/* PATTERN_BYTES of a stream, from a position on. */
const char *pattern_at(uint64_t position);
/* Ends the program if the bytes are not those of that position. Looks at some of them. */
void pattern_check(const char *bytes, size_t len, uint64_t position);

/* bulk.c. bulk_serve() takes over the connection. */
void bulk_serve(int fd, const struct hello *hello, const struct reading *reading);
void bulk_run(const struct plan *plan, const struct hello *hello, const int *fds);

/* ends.c. ends_serve() and farewell_answer() take over the connection. More bytes than were sent
 * end the program. */
enum farewell { FAREWELL_KEPT, FAREWELL_LOST };
#define FAREWELL_BYTES 8
/* Ends the stream, and waits for the last bytes of the other side, which sends them only then. */
enum farewell farewell_ask(int fd);
void farewell_answer(int fd);
/* Waits for the end of a stream that has nothing more to say. Whether it, or a reset, came. */
bool farewell_in_silence(int fd);
void ends_serve(int fd, const struct hello *hello);
void ends_run(const struct plan *plan);

/* exchange.c. exchange_serve() takes over the connection and returns at once. */
void exchange_start_server(void);
void exchange_serve(int fd, const struct hello *hello);
void exchange_run(const struct plan *plan, const struct hello *hello, const int *fds);

/* churn.c. churn_serve() takes over the connection. */
void churn_serve(int fd, const struct hello *hello);
void churn_run(const struct plan *plan);
void idle_run(const struct plan *plan, const struct hello *hello, const int *fds);

/* serve.c. */
noreturn void serve(const char *address, const struct plan *plan);
extern const uint64_t hello_magic;

/* latency.c: a histogram with 64 steps per power of two, so within 1.6 %. */
struct latency;
struct latency *latency_new(void);
void latency_add(struct latency *latency, uint64_t ns);
void latency_merge(struct latency *latency, const struct latency *more);
uint64_t latency_count(const struct latency *latency);
uint64_t latency_quantile(const struct latency *latency, double quantile);
/* As the JSON of a run of exchanges. */
void latency_print(const struct plan *plan, const struct hello *hello,
		   const struct latency *latency, bool mptcp);

#endif
