/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/control_socket.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

const char *control_default_path(char *out, unsigned int size)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");

	if (geteuid() == 0)
		snprintf(out, size, HAWSER_RUN_DIR "/hawser/control.sock");
	else if (runtime && runtime[0] == '/')
		snprintf(out, size, "%s/hawser/control.sock", runtime);
	else
		snprintf(out, size, "/tmp/hawser-%u/control.sock", (unsigned int)geteuid());
	return out;
}
