/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "accel/refusal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void refusal_note(struct feature_state *feature, const char *what, int err)
{
	char *reason = feature->reason;
	const size_t size = sizeof(feature->reason);

	feature->available = false;
	if (err == -EPERM)
		snprintf(reason, size,
			 "not permitted: needs root, or CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN");
	else if (err == -EFAULT) /* what 6.18 says without CAP_PERFMON */
		snprintf(reason, size, "%s: %s; does it lack CAP_PERFMON?", what, strerror(-err));
	else if (err)
		snprintf(reason, size, "%s: %s", what, strerror(-err));
	else
		snprintf(reason, size, "%s", what);
}

int refusal_of_hash(void)
{
	return errno == ENOMEM ? -EAGAIN : -errno;
}
