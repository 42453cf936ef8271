/* SPDX-License-Identifier: GPL-2.0-or-later */
/* That interception is wanted, and how: a file that `hawser intercept up` leaves for the hawserd
 * that it asked, so that this puts back what others delete, also after a restart. `down` removes
 * it. Who holds it is the only one that changes what is in force. */
#ifndef HAWSER_INTERCEPT_WANTED_H
#define HAWSER_INTERCEPT_WANTED_H

#include <limits.h>

#include "net/run_file.h"

struct json_object;

struct intercept_wanted {
	int fd;
	char path[PATH_MAX];
};

/* Holds the file until it is closed. 0, or as run_file_lock(). */
int intercept_wanted_open(struct intercept_wanted *wanted, enum run_file_lock how);

/* Its text; "" when it is new, or was not written to its end. The caller's; NULL without memory. */
char *intercept_wanted_read(const struct intercept_wanted *wanted);

/* For the hawserd with this control socket. lan (an array of names) and method: what is not as it
 * is configured; NULL: as it is. by_setting: by hawserd itself. No two texts are the same. 0 or
 * -errno. */
int intercept_wanted_write(const struct intercept_wanted *wanted, const char *control,
			   struct json_object *lan, const char *method, bool by_setting);

void intercept_wanted_remove(const struct intercept_wanted *wanted);

/* Where nothing whole was written. */
void intercept_wanted_remove_empty(const struct intercept_wanted *wanted);
void intercept_wanted_close(struct intercept_wanted *wanted);

#endif
