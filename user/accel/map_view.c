/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "accel/map_view.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

static size_t page_bytes(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

/* What lies before the view in its first page. */
static size_t before(const struct map_view *view)
{
	return view->from % page_bytes();
}

int map_view_reserve(struct map_view *view, int map_fd, size_t from, size_t bytes)
{
	const size_t page = page_bytes();
	const size_t pages_bytes = (from % page + bytes + page - 1) / page * page;
	char *memory = mmap(NULL, pages_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	*view = (struct map_view){0};
	if (memory == MAP_FAILED)
		return -errno;
	*view = (struct map_view){
		.memory = memory + from % page,
		.bytes = pages_bytes - from % page,
		.from = from,
		.map_fd = map_fd,
	};
	return 0;
}

/* Twice as much each time, as each time the kernel keeps a record. */
int map_view_reach(struct map_view *view, size_t bytes)
{
	const size_t page = page_bytes();
	const size_t old = view->reached ? before(view) + view->reached : 0;
	size_t end = before(view) + bytes > 2 * old ? before(view) + bytes : 2 * old;
	char *start = (char *)view->memory - before(view) + old;

	if (bytes <= view->reached)
		return 0;
	if (bytes > view->bytes)
		return -ENOMEM;
	end = (end + page - 1) / page * page;
	if (end > before(view) + view->bytes)
		end = before(view) + view->bytes;
	if (mmap(start, end - old, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, view->map_fd,
		 (off_t)(view->from - before(view) + old)) == MAP_FAILED) {
		const int err = -errno;

		/* The room before end may be somebody else's now. */
		munmap((char *)view->memory - before(view) + end, before(view) + view->bytes - end);
		view->bytes = view->reached;
		return err;
	}
	view->reached = end - before(view);
	return 0;
}

int map_view_open(struct map_view *view, int map_fd, size_t bytes)
{
	int err = map_view_reserve(view, map_fd, 0, bytes);

	if (err)
		return err;
	err = map_view_reach(view, view->bytes);
	if (err)
		map_view_close(view);
	return err;
}

void map_view_close(struct map_view *view)
{
	if (view->bytes)
		munmap((char *)view->memory - before(view), before(view) + view->bytes);
	*view = (struct map_view){0};
}
