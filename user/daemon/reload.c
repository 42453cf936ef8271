/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A new configuration takes the place of the old one. */
#include <errno.h>
#include <string.h>

#include <sodium.h>

#include "accel/local.h"
#include "access_log/access_log.h"
#include "auth/gate.h"
#include "base/clock.h"
#include "base/log.h"
#include "config/config_load.h"
#include "config/options.h"
#include "daemon/daemon_private.h"
#include "daemon/heartbeat.h"
#include "daemon/interception.h"
#include "daemon/listen_watch.h"
#include "daemon/privileges.h"
#include "daemon/usage.h"
#include "intercept/run_redirect.h"
#include "links/announced.h"
#include "links/links.h"
#include "shared/exit_state.h"
#include "upstream/exit_memory.h"

/* What is known of an exit that is in old, too; else nothing is known of it. NULL without memory.
 */
static struct exit_state *adopt_exit(const struct exit_config *exit, const struct config *old)
{
	char text[EXIT_PLACE_TEXT_MAX];
	char old_text[EXIT_PLACE_TEXT_MAX];

	exit_place_format(&exit->place, text);
	for (size_t i = 0; old && i < old->exit_count; i++) {
		const struct exit_config *same = &old->exits[i];

		if (strcmp(same->name, exit->name) == 0 &&
		    strcmp(exit_place_format(&same->place, old_text), text) == 0 &&
		    sodium_memcmp(same->tokens.token, exit->tokens.token,
				  sizeof(*exit->tokens.token)) == 0)
			return exit_state_get(same->state);
	}
	return exit_state_new();
}

int reload_adopt(struct config *new, const struct config *old)
{
	int err = gates_adopt(new->gates, new->gate_count, old ? old->gates : NULL,
			      old ? old->gate_count : 0, clock_now_ms());

	for (size_t i = 0; !err && i < new->exit_count; i++) {
		const struct exit_place *place = &new->exits[i].place;

		new->exits[i].state = adopt_exit(&new->exits[i], old);
		err = new->exits[i].state ? 0 : -ENOMEM;
		if (!err && place->destination.host[0] == '\0')
			exit_state_set_address(new->exits[i].state, &place->destination.address);
		if (!err && place->also.sa.sa_family != AF_UNSPEC)
			exit_state_set_address(new->exits[i].state, &place->also);
	}
	if (err)
		log_error("cannot take the configuration: %s", strerror(-err));
	return err;
}

static void warn_of_what_needs_a_restart(const struct daemon *daemon, const struct config *new)
{
	const struct config *old = daemon->config;

	if (old->workers != new->workers)
		log_warning("workers stays %u until hawserd restarts", old->workers);
	if (old->relay.bpf != new->relay.bpf ||
	    strcmp(old->relay.bpf_pins, new->relay.bpf_pins) != 0)
		log_warning("bpf and bpf-pins stay as they were until hawserd restarts");
	if (old->relay.tune.sockmap_bytes != new->relay.tune.sockmap_bytes)
		log_warning("sockmap-bytes stays %u until hawserd restarts",
			    old->relay.tune.sockmap_bytes);
	/* Once loaded it is for good. */
	if (!config_wants_packets(&old->relay) && config_wants_packets(&new->relay) &&
	    !packets_feature(daemon->packets)->available)
		log_warning("packets stay off until hawserd restarts");
	if (strcmp(old->control, new->control) != 0)
		log_warning("control stays %s until hawserd restarts", old->control);
	if (strcmp(old->relay.local_accel ? old->relay.local_accel : "",
		   new->relay.local_accel ? new->relay.local_accel : "") != 0)
		log_warning("local-accel stays %s until hawserd restarts",
			    old->relay.local_accel ? old->relay.local_accel : "off");
}

static int take(struct daemon *daemon)
{
	struct config *old = daemon->config;
	struct config *new;
	struct listen_set listening;
	bool follows; /* the new access log is there */

	if (drain_has_begun(daemon)) {
		log_warning("not reloaded: hawserd is draining");
		return -EBUSY;
	}
	new = config_load(daemon->options);
	follows = new && !reload_adopt(new, old) &&
		  !access_log_follow(daemon->access_log, new->access_log);
	if (!follows ||
	    listen_set_open(&listening, new, daemon->worker_count, &daemon->listening)) {
		if (follows)
			(void)access_log_follow(daemon->access_log, old->access_log);
		log_error("the configuration stays as it was");
		config_put(new);
		return -EINVAL;
	}
	gates_revoke(new->gates, new->gate_count, old->gates, old->gate_count);
	warn_of_what_needs_a_restart(daemon, new);
	log_set_level(new->log_level);
	daemon->config = new;
	daemon->report.config = new;
	daemon->report.file = options_file(daemon->options);
	daemon->report.awaited_file = options_awaited_file(daemon->options);
	/* Until the workers have let go of them, the old sockets must stay open. */
	struct listen_set closing = daemon->listening;

	daemon->listening = listening;
	local_listen(daemon->local, new->listen, new->listen_count);
	if (!config_connects_first(new))
		heartbeat_hold_no_more(daemon->heartbeat);
	daemon_configure_workers(daemon, true);
	daemon_configure_web(daemon);
	/* In this order: of an address that is in both, the new ones are kept. */
	listen_set_forget(&closing);
	listen_set_keep(&listening);
	listen_set_close(&closing);
	listen_watch_follow(daemon->listen_watch, new);
	run_redirect_listen(daemon->run, new);
	heartbeat_start(daemon->heartbeat, new);
	exit_memory_configure(daemon->exits, new);
	daemon_configure_on_event(daemon);
	usage_configure(daemon->usage, new);
	links_configure(daemon->links, new);
	announced_configure(daemon->announced, new);
	interception_configure(daemon->interception, new);
	privileges_check(new);
	config_put(old);
	log_info("configuration reloaded");
	return 0;
}

int reload(struct daemon *daemon)
{
	struct report_reload *last = &daemon->report.reload;
	int err;

	log_collect(last->said, sizeof(last->said));
	err = take(daemon);
	log_collect(NULL, 0);
	last->failed = err != 0;
	last->at_s = clock_monotonic_s();
	last->time_s = (double)clock_calendar_ms() / 1e3;
	return err;
}
