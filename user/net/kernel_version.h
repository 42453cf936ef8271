/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The version of the kernel's source, for what no trial can tell: faults that must not be found out
 * by trying. What can be tried is tried, see kernel.h. */
#ifndef HAWSER_NET_KERNEL_VERSION_H
#define HAWSER_NET_KERNEL_VERSION_H

#include <stdbool.h>
#include <stddef.h>

struct kernel_version {
	unsigned int major;
	unsigned int minor;
	unsigned int patch;
};

#define KERNEL_VERSION_TEXT_MAX 40

/* Of the running kernel. Debian's uname -r says 6.1.0-54-amd64 of a 6.1.190, which stands in uname
 * -v; Ubuntu's true version stands in /proc/version_signature. 0.0.0 if it cannot be read. */
struct kernel_version kernel_version_get(void);

/* The same from the texts: release and version of uname(2), signature "" where there is none. Pure.
 */
struct kernel_version kernel_version_parse(const char *release, const char *version,
					   const char *signature);

/* Whether a fix is in. fixed: the first release that has it of each maintained line, in ascending
 * order; the last one is the mainline's, so all later lines have it, too. */
bool kernel_version_has(struct kernel_version kernel, const struct kernel_version *fixed,
			size_t count);

/* Returns out, filled with "6.1.190". */
const char *kernel_version_format(struct kernel_version kernel, char out[KERNEL_VERSION_TEXT_MAX]);

#endif
