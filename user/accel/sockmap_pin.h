/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names in a bpffs for the maps, so that bpftool finds them. */
#ifndef HAWSER_ACCEL_SOCKMAP_PIN_H
#define HAWSER_ACCEL_SOCKMAP_PIN_H

#include <stddef.h>

/* The names are these in lower case: "flows"… */
enum sockmap_pin {
	SOCKMAP_PIN_FLOWS,
	SOCKMAP_PIN_SLOTS,
	SOCKMAP_PIN_SOURCES,
	SOCKMAP_PIN_TARGETS,
	SOCKMAP_PIN_COUNT
};

/* Makes the directory, if need be, and the pins; replaces what a crash left. All or nothing: 0, or
 * -errno with the reason. */
int sockmap_pin(const char *directory, const int fds[static SOCKMAP_PIN_COUNT], char *reason,
		size_t size);

/* Removes the pins that lead to these maps; others have been made by another daemon since. Then the
 * directory, if it is empty. */
void sockmap_unpin(const char *directory, const int fds[static SOCKMAP_PIN_COUNT]);

#endif
