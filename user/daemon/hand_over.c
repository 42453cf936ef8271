/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Another hawserd takes the place of this one, which goes on until its last session has ended. What
 * there is one of on a host is let go as it stands in the kernel: control socket, links, rules. */
#include <sys/prctl.h>

#include "access_log/access_log.h"
#include "base/log.h"
#include "daemon/daemon_private.h"
#include "daemon/interception.h"
#include "daemon/usage.h"
#include "links/announced.h"
#include "links/left_behind.h"
#include "links/links.h"
#include "upstream/exit_memory.h"
#include "upstream/exit_tell.h"

static void let_go(struct daemon *daemon)
{
	if (daemon->let_go)
		return;
	daemon->let_go = true;
	left_behind_join();
	/* While links are still counted; the other one may be asked at once. */
	usage_flush(daemon->usage);
	access_log_share(daemon->access_log);
	log_info("another hawserd has control socket, links and interception from now on");
	control_release(daemon);
	daemon->control = NULL;
	interception_leave(daemon->interception);
	links_leave(daemon->links);
	announced_leave(daemon->announced);
	exit_memory_close(daemon->exits);
	daemon->exits = NULL;
	exit_tell_close(daemon->exit_tell);
	daemon->exit_tell = NULL;
}

static void on_let_go(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	let_go(timer->data);
}

void hand_over_init(struct daemon *daemon)
{
	ev_timer *timer = &daemon->let_go_soon;

	ev_timer_init(timer, on_let_go, 0., 0.);
	timer->data = daemon;
}

bool hand_over_soon(struct daemon *daemon)
{
	if (!drain_has_begun(daemon))
		return false;
	/* Once the answer has gone by the control socket. */
	ev_timer_start(daemon->loop, &daemon->let_go_soon);
	return true;
}

void hand_over(struct daemon *daemon)
{
	/* The keeper's end is no second SIGTERM for one that drains already. */
	(void)prctl(PR_SET_PDEATHSIG, 0);
	if (!drain_has_begun(daemon))
		drain_begin(daemon, true);
	let_go(daemon);
}
