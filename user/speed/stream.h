/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One connection of a speed test, to the exit's source, sink or echo. */
#ifndef HAWSER_SPEED_STREAM_H
#define HAWSER_SPEED_STREAM_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/direction.h"
#include "base/write_pause.h"
#include "speed/figures.h"
#include "upstream/hop.h"

#define STREAM_CHUNK_BYTES   65536
#define STREAM_SAMPLES_MAX   512
#define STREAM_LATENCIES_MAX 512
#define STREAM_ECHOES_MAX    16 /* under way */

enum stream_state { STREAM_OPENING, STREAM_RUNNING, STREAM_ENDED };

enum stream_fault {
	STREAM_NO_FAULT, /* the exit ended it */
	STREAM_BROKEN,	 /* of this way to the exit */
	STREAM_REFUSED,	 /* by the exit, whichever way */
};

/* What the connections of a test have in common. */
struct stream_env {
	struct dial_env dial;
	const struct exit_config *exit;
	uint8_t *chunk; /* STREAM_CHUNK_BYTES of noise, to send; read into, it stays noise */
	uint64_t test;
};

struct stream {
	const struct stream_env *env;
	struct speed_request request;
	enum stream_state state;
	enum stream_fault fault;
	char said[SPEED_SAID_MAX]; /* of a fault */
	uint64_t left;		   /* bytes that the exit gives today */
	struct hop *hop;	   /* while it is opened */
	int fd;
	enum transport transport;
	ev_io io;
	struct write_pause pause;
	double began_s;
	uint64_t bytes; /* given to a sink, or come from a source */
	struct speed_sample samples[STREAM_SAMPLES_MAX];
	size_t sample_count;
	uint64_t live[DIRECTIONS];   /* bytes of its subflows, as last seen */
	uint64_t closed[DIRECTIONS]; /* of those that are no more */
	double moved_s;		     /* when samples showed a byte last */
	uint8_t in[SPEED_REPORT_BYTES];
	size_t in_len;
	uint64_t stamps[STREAM_ECHOES_MAX]; /* a ring of what is under way */
	size_t stamp_first;
	size_t stamp_count;
	double latencies_ms[STREAM_LATENCIES_MAX];
	size_t latency_count;
};

/* Opens one; only: see struct hop_request. NULL without memory. */
struct stream *stream_open(const struct stream_env *env, enum speed_kind kind, unsigned int seconds,
			   const struct link_choice *only);

/* What is on its way is thrown away. NULL is allowed. */
void stream_close(struct stream *stream);

/* Many times a second: notes what has come; what a sink took it notes by itself. */
void stream_take_sample(struct stream *stream);

/* Sends what an echo shall send back. */
void stream_ask_echo(struct stream *stream);

/* What the kernel moved each way, with what it sent again. Never less than before. */
void stream_count(struct stream *stream, uint64_t out[DIRECTIONS]);

#endif
