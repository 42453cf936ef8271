/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Clients on the same host: the only user of the skeleton of bpf/local.bpf.c. Loads, attaches to
 * the clients' cgroup, probes, and knows which client's bytes may skip the loopback path. */
#ifndef HAWSER_ACCEL_LOCAL_H
#define HAWSER_ACCEL_LOCAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "net/kernel.h"

struct local;
struct local_worker;
struct local_client;

struct local_counts {
	uint64_t clients;
	uint64_t redirected; /* bytes */
	uint64_t passed;     /* bytes that went by TCP all the same */
};

struct local_options {
	bool off;	    /* by configuration: nothing is loaded */
	const char *cgroup; /* directory of a cgroup2; NULL: do not attach, for tests */
	unsigned int workers;
	unsigned int slots;    /* of one worker; a client takes one while its session relays */
	uint32_t budget_bytes; /* 0: LOCAL_BUDGET_BYTES */
};

#define LOCAL_BUDGET_BYTES    (1U << 18)
#define LOCAL_BUDGET_MESSAGES 64U
#define LOCAL_SLOTS	      4096U

/* Main thread, before workers start. What the kernel refuses switches it off with a reason, so this
 * fails only for want of memory: NULL. When hawserd ends, however it ends, the kernel detaches. */
struct local *local_open(const struct local_options *options);

/* After the workers have stopped. local_close(NULL) does nothing. */
void local_close(struct local *local);

/* Never NULL; constant after local_open(). local may be NULL: not asked for. */
const struct feature_state *local_feature(const struct local *local);

/* Main thread, again after each reload: clients that connect to these from now on. Does nothing
 * when it is off. */
void local_listen(struct local *local, const struct listen_config *listen, size_t count);

/* NULL when it is off; local may be NULL. What follows is for that worker's thread only. */
struct local_worker *local_worker(struct local *local, unsigned int index);

/* Lets the client send past TCP from now on. fd: its accepted socket, which from here on until it
 * is closed must be read by recv(2) and not by splice(2), which sees only what came by TCP. read:
 * bytes received on it so far. NULL when the client is not in the cgroup, its socket is not fit
 * (see local.bpf.c), or there is no slot: nothing has changed then. */
struct local_client *local_client_open(struct local_worker *worker, int fd,
				       const union address *client, uint64_t read,
				       uint64_t session);

/* After each recv() on fd: so many bytes more. They are credit for the client. */
void local_client_read(struct local_client *client, uint64_t bytes);

/* Before fd is closed, which throws away what was not read. Frees the client and says what it did;
 * nothing for NULL. */
struct local_counts local_client_close(struct local_client *client);

/* For the probe and for tests: puts in a client's socket that we have ourselves, as the program
 * does by itself for those in the cgroup. Nothing may be under way on the connection. 0 or -errno.
 */
int local_adopt(struct local_worker *worker, int client, int accepted);

#endif
