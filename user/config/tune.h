/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The constants by which the relay decides, in one place, settable for experiments. */
#ifndef HAWSER_CONFIG_TUNE_H
#define HAWSER_CONFIG_TUNE_H

#include <stdint.h>

/* X(member, name, kind, default, least, most): each is explained in hawser.conf(5). The kinds are
 * those of settings.c. */
#define TUNE_LIST(X)                                                                               \
	/* A flow may move this much before the worker looks at its others. */                     \
	X(pump_bytes, "pump-bytes", TUNE_BYTES, 512 << 10, 16 << 10, 64 << 20)                     \
	/* A read that brought less most likely emptied the source. */                             \
	X(short_take_bytes, "short-take-bytes", TUNE_BYTES, 16 << 10, 1, 1 << 20)                  \
	/* Rates are measured over windows at least this long. */                                  \
	X(tick_window_us, "tick-window-us", TUNE_US, 4000, 100, 1000000)                           \
	/* This many windows in a row must be bulk before readability is given up. */              \
	X(tick_windows, "tick-windows", TUNE_COUNT, 4, 1, 1000)                                    \
	/* A tick should bring this much… */                                                     \
	X(tick_bytes, "tick-bytes", TUNE_BYTES, 512 << 10, 4 << 10, 64 << 20)                      \
	/* …and a direction that would not bring this much in the longest tick is not bulk. */   \
	X(tick_bytes_min, "tick-bytes-min", TUNE_BYTES, 64 << 10, 1, 64 << 20)                     \
	/* A tick that brings less ends it: the burst is over. */                                  \
	X(tick_bytes_little, "tick-bytes-little", TUNE_BYTES, 16 << 10, 1, 64 << 20)               \
	X(tick_min_us, "tick-min-us", TUNE_US, 1000, 100, 100000)                                  \
	X(tick_max_us, "tick-max-us", TUNE_US, 4000, 100, 100000)                                  \
	/* A tick delays bytes by half its length on average, so it is at most this fraction of    \
	 * the round-trip time. */                                                                 \
	X(tick_rtt_share, "tick-rtt-share", TUNE_COUNT, 8, 1, 1000)                                \
	/* Ticks after which the interval is chosen anew. */                                       \
	X(tick_choice, "tick-choice", TUNE_COUNT, 16, 1, 100000)                                   \
	/* A pair whose directions take turns this often… */                                     \
	X(chat_turns, "chat-turns", TUNE_COUNT, 64, 1, 1000000)                                    \
	/* …in this time… */                                                                   \
	X(chat_window_us, "chat-window-us", TUNE_US, 100000, 1000, 60000000)                       \
	/* …with at most this much between two turns on average is chatty. */                    \
	X(chat_bytes, "chat-bytes", TUNE_BYTES, 24 << 10, 1, 1 << 20)                              \
	/* A pair that left the sockmap does not enter it again for this long; twice as long each  \
	 * time up to the next figure, unless it stayed in for that long. */                       \
	X(chat_backoff_ms, "chat-backoff-ms", TUNE_MS, 1000, 1, 3600000)                           \
	X(chat_backoff_max_ms, "chat-backoff-max-ms", TUNE_MS, 64000, 1, 3600000)                  \
	/* What chatty pairs move is counted for this long, out of the sockmap, in it, and out of  \
	 * it again; 0: without a trial they enter. */                                             \
	X(chat_trial_ms, "chat-trial-ms", TUNE_MS, 150, 0, 10000)                                  \
	/* From one trial to the next; twice as long each time that the verdict is the same, up to \
	 * 16 minutes. */                                                                          \
	X(chat_trial_rest_s, "chat-trial-rest-s", TUNE_S, 30, 1, 960)                              \
	/* What the kernel may hold of one direction in the sockmap. */                            \
	X(sockmap_bytes, "sockmap-bytes", TUNE_BYTES, 256 << 10, 64 << 10, 1 << 20)                \
	/* Bytes that a send queue takes beyond what the peer's window and the path can carry.     \
	 * Without a limit a slow reader costs megabytes of kernel memory; with too small a one a  \
	 * fast path runs dry between two looks at the source. */                                  \
	X(unsent_bytes, "unsent-bytes", TUNE_BYTES, 512 << 10, 16 << 10, 64 << 20)                 \
	/* The receive buffer of every socket: a session may have half of it in flight per         \
	 * round-trip time, and a slow reader lets as much pile up. */                             \
	X(receive_bytes, "receive-bytes", TUNE_BYTES, 5 << 20, 128 << 10, 256 << 20)               \
	/* To a port below this, a connection that fell back is made anew as plain TCP: such       \
	 * services take more than one. */                                                         \
	X(redial_below_port, "redial-below-port", TUNE_COUNT, 1024, 1, 65536)                      \
	/* A dead peer is noticed after about four minutes, and the NAT on the way is reminded of  \
	 * an idle session well before the five minutes after which many forget it. */             \
	X(keepalive_idle_s, "keepalive-idle-s", TUNE_S, 120, 1, 32767)                             \
	X(keepalive_interval_s, "keepalive-interval-s", TUNE_S, 30, 1, 32767)

struct tune {
#define TUNE_MEMBER(member, name, kind, standard, least, most) uint32_t member;
	TUNE_LIST(TUNE_MEMBER)
#undef TUNE_MEMBER
};

extern const struct tune tune_default;

#endif
