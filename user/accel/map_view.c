/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "accel/map_view.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

int map_view_open(struct map_view *view, int map_fd, size_t bytes)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	const size_t pages_bytes = (bytes + page - 1) / page * page;
	void *memory = mmap(NULL, pages_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);

	*view = (struct map_view){0};
	if (memory == MAP_FAILED)
		return -errno;
	*view = (struct map_view){.memory = memory, .bytes = pages_bytes};
	return 0;
}

void map_view_close(struct map_view *view)
{
	if (view->memory)
		munmap(view->memory, view->bytes);
	*view = (struct map_view){0};
}
