/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Endpoints carry no mark, and a setting of the kernel does not tell what it was before: both are
 * written to a file before each change, for the start after a crash. Who holds it announces. */
#include "links/announced.h"

#include <errno.h>
#include <ev.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/mptcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "config/config.h"
#include "links/left_behind.h"
#include "links/links.h"
#include "net/mptcp_pm.h"
#include "net/run_file.h"

#define NAME   "announced"
#define JOINS  "/proc/sys/net/mptcp/allow_join_initial_addr_port"
#define LOOK_S 1.
/* So many looks later, who still announces is no hawserd that hands over. */
#define HAND_OVER_LOOKS 5
#define TEXT_MAX	2048
/* With those of one that drains. */
#define OURS_MAX ((size_t)2 * ANNOUNCE_MAX)

struct announced {
	struct ev_loop *loop;
	ev_timer look;
	struct links *links;
	const struct config *config;
	struct mptcp_pm *pm;
	int record;	      /* -1: another hawserd has it, or there is none */
	unsigned int refused; /* looks in a row that found another one */
	char path[PATH_MAX];
	union address ours[OURS_MAX]; /* in the kernel, or about to be */
	size_t count;
	bool forbade;	   /* joins to the address that was dialled were allowed */
	uint32_t subflows; /* the limit before; 0: it is as it was */
	bool unwritten;	   /* the record does not say all this */
	bool ends;
	char fault[160];
};

static bool is_same(const union address *a, const union address *b)
{
	return address_same_ip(a, b) && address_port(a) == address_port(b);
}

static bool is_wanted(const struct announced *announced, const union address *address)
{
	const struct config *config = announced->config;

	for (size_t i = 0; config && i < config->announce_count; i++)
		if (is_same(&config->announce[i], address))
			return true;
	return false;
}

static size_t find_ours(const struct announced *announced, const union address *address)
{
	size_t i = 0;

	while (i < announced->count && !is_same(&announced->ours[i], address))
		i++;
	return i;
}

static int write_record(struct announced *announced)
{
	char text[TEXT_MAX];
	char ip[ADDRESS_TEXT_MAX];
	size_t len = 0;
	int err;

	for (size_t i = 0; i < announced->count; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "address %s %u\n",
					address_format_ip(&announced->ours[i], ip),
					address_port(&announced->ours[i]));
	len += (size_t)snprintf(text + len, sizeof(text) - len,
				"joins %d\nsubflows %" PRIu32 "\nend\n", announced->forbade,
				announced->subflows);
	err = run_file_write(announced->record, text, len);
	announced->unwritten = err != 0;
	return err;
}

/* What follows a word of the line; NULL: another word. */
static const char *after(const char *line, const char *word)
{
	const size_t len = strlen(word);

	return strncmp(line, word, len) == 0 ? line + len : NULL;
}

static void read_line(struct announced *announced, char *line)
{
	const char *number;
	char *port = strrchr(line, ' ');
	struct prefix prefix;

	if ((number = after(line, "joins "))) {
		announced->forbade = strtoul(number, NULL, 10) > 0;
	} else if ((number = after(line, "subflows "))) {
		announced->subflows = (uint32_t)strtoul(number, NULL, 10);
	} else if (after(line, "address ") && port && announced->count < OURS_MAX) {
		*port = '\0';
		if (prefix_parse(after(line, "address "), &prefix))
			return;
		address_set_port(&prefix.base, (uint16_t)strtoul(port + 1, NULL, 10));
		announced->ours[announced->count++] = prefix.base;
	}
}

static void read_record(struct announced *announced)
{
	char text[TEXT_MAX + 1];
	const ssize_t len = pread(announced->record, text, TEXT_MAX, 0);
	char *rest = text;
	char *line;

	text[len > 0 ? len : 0] = '\0';
	announced->count = 0;
	announced->forbade = false;
	announced->subflows = 0;
	while ((line = strsep(&rest, "\n")) && strcmp(line, "end") != 0)
		read_line(announced, line);
}

static void set_fault(struct announced *announced, const char *what, int err)
{
	if (!*announced->fault)
		snprintf(announced->fault, sizeof(announced->fault), "%s: %s", what,
			 strerror(-err));
}

/* -1: this kernel has no such setting, or it cannot be read. */
static int joins_allowed(void)
{
	FILE *file = fopen(JOINS, "re");
	const int first = file ? fgetc(file) : EOF;

	if (file)
		fclose(file);
	return first == EOF ? -1 : first != '0';
}

static int allow_joins(bool allowed)
{
	FILE *file = fopen(JOINS, "we");
	int err;

	if (!file)
		return -errno;
	err = fputs(allowed ? "1" : "0", file) < 0 ? -EIO : 0;
	return fclose(file) ? -errno : err;
}

/* Returns whether they are forbidden. */
static bool forbid_joins(struct announced *announced)
{
	const bool forbade = announced->forbade;
	int err = joins_allowed() < 0 ? -EOPNOTSUPP : 0;

	if (!err && joins_allowed() == 0)
		return true;
	announced->forbade = true;
	if (!err)
		err = write_record(announced);
	if (!err)
		err = allow_joins(false);
	if (!err)
		return true;
	announced->forbade = forbade;
	(void)write_record(announced);
	set_fault(announced,
		  "not announced: net.mptcp.allow_join_initial_addr_port cannot be set to 0 from "
		  "here, but in sysctl.d",
		  err);
	return false;
}

/* A router with many links has as many subflows. */
static void raise_limit(struct announced *announced)
{
	struct mptcp_pm_limits limits;
	int err = mptcp_pm_get_limits(announced->pm, &limits);

	if (!err && limits.subflows >= MPTCP_PM_LIMIT_MAX)
		return;
	if (!err && announced->subflows == 0)
		announced->subflows = limits.subflows + 1;
	limits.subflows = MPTCP_PM_LIMIT_MAX;
	if (!err)
		err = write_record(announced);
	if (!err)
		err = mptcp_pm_set_limits(announced->pm, &limits);
	if (err)
		set_fault(announced, "the limit of subflows cannot be raised", err);
}

static int restore_joins(struct announced *announced)
{
	int err = 0;

	if (announced->forbade && joins_allowed() == 0)
		err = allow_joins(true);
	if (!err)
		announced->forbade = false;
	return err;
}

static int restore_limit(struct announced *announced)
{
	struct mptcp_pm_limits limits;
	int err = 0;

	if (announced->subflows == 0)
		return 0;
	if (!links_take_limit(announced->links, announced->subflows - 1)) {
		err = mptcp_pm_get_limits(announced->pm, &limits);
		if (!err && limits.subflows == MPTCP_PM_LIMIT_MAX) {
			limits.subflows = announced->subflows - 1;
			err = mptcp_pm_set_limits(announced->pm, &limits);
		}
	}
	if (!err)
		announced->subflows = 0;
	return err;
}

static bool restore(struct announced *announced)
{
	const int joins = restore_joins(announced);
	const int limit = restore_limit(announced);

	if (!joins && !limit)
		return true;
	(void)write_record(announced);
	if (joins)
		set_fault(announced, "cannot allow joins as before", joins);
	if (limit)
		set_fault(announced, "cannot set the limit of subflows as before", limit);
	return false;
}

static const struct mptcp_pm_endpoint *find_there(const struct mptcp_pm_endpoint *there,
						  size_t count, const union address *address)
{
	for (size_t i = 0; i < count; i++)
		if (is_same(&there[i].address, address) &&
		    !(there[i].flags & MPTCP_PM_FLAG_IMPLICIT))
			return &there[i];
	return NULL;
}

static void withdraw(struct announced *announced, const struct mptcp_pm_endpoint *there,
		     size_t there_count)
{
	for (size_t i = announced->count; i-- > 0;) {
		const union address address = announced->ours[i];
		const struct mptcp_pm_endpoint *is = find_there(there, there_count, &address);
		int err = 0;

		if (is_wanted(announced, &address))
			continue;
		if (is)
			err = mptcp_pm_delete(announced->pm, is);
		if (err) {
			set_fault(announced, "cannot withdraw an address", err);
			continue;
		}
		announced->ours[i] = announced->ours[--announced->count];
		(void)write_record(announced);
	}
}

static void add(struct announced *announced, const union address *address)
{
	const struct mptcp_pm_endpoint endpoint = {.address = *address,
						   .flags = MPTCP_PM_ADDR_FLAG_SIGNAL};
	const bool is_new = find_ours(announced, address) == announced->count;
	bool recorded = false;
	char text[ADDRESS_TEXT_MAX];
	char what[ADDRESS_TEXT_MAX + sizeof("cannot announce ")];
	int err = 0;

	/* Those that cannot be withdrawn stay in the record. */
	if (is_new && announced->count == OURS_MAX) {
		err = -ENOSPC;
	} else if (is_new) {
		announced->ours[announced->count++] = *address;
		recorded = true;
		err = write_record(announced);
	}
	if (!err)
		err = mptcp_pm_add(announced->pm, &endpoint);
	if (!err) {
		log_info("announced to MPTCP clients: %s", address_format_ip(address, text));
		return;
	}
	if (recorded) {
		announced->count--;
		(void)write_record(announced);
	}
	snprintf(what, sizeof(what), "cannot announce %s", address_format_ip(address, text));
	set_fault(announced, what, err);
}

static void announce(struct announced *announced, const struct mptcp_pm_endpoint *there,
		     size_t there_count)
{
	const struct config *config = announced->config;

	for (size_t i = 0; i < config->announce_count; i++) {
		const union address *address = &config->announce[i];
		const struct mptcp_pm_endpoint *is = find_there(there, there_count, address);

		if (!is)
			add(announced, address);
		else if (!(is->flags & MPTCP_PM_ADDR_FLAG_SIGNAL))
			set_fault(announced, "an address is an MPTCP endpoint of another kind",
				  -EEXIST);
	}
}

static bool wants_any(const struct announced *announced)
{
	return announced->config && announced->config->announce_count > 0;
}

/* Without anything to announce, only to take back what an earlier hawserd has left. */
static bool take_hold(struct announced *announced)
{
	int err = run_file_path(NAME, announced->path, sizeof(announced->path));

	if (!err) {
		announced->record = run_file_lock(
			announced->path, wants_any(announced) ? RUN_FILE_TRY : RUN_FILE_FIND_TRY);
		err = announced->record < 0 ? announced->record : 0;
	}
	if (!err) {
		read_record(announced);
		announced->pm = mptcp_pm_open();
		if (announced->pm) {
			announced->refused = 0;
			return true;
		}
		err = -errno;
		close(announced->record);
	}
	announced->record = -1;
	announced->refused = err == -EWOULDBLOCK ? announced->refused + 1 : 0;
	if (!wants_any(announced))
		return false;
	if (err != -EWOULDBLOCK)
		set_fault(announced, "cannot announce", err);
	else if (announced->refused > HAND_OVER_LOOKS)
		set_fault(announced, "another hawserd announces", err);
	return false;
}

static void let_go(struct announced *announced, bool remove)
{
	if (announced->record < 0)
		return;
	if (remove)
		unlink(announced->path);
	close(announced->record);
	announced->record = -1;
	mptcp_pm_close(announced->pm);
	announced->pm = NULL;
}

static void compare(struct announced *announced)
{
	struct mptcp_pm_endpoint there[MPTCP_PM_ENDPOINTS_MAX];
	size_t there_count = 0;
	bool used;
	int err;

	if (announced->record < 0 && !take_hold(announced))
		return;
	if (announced->unwritten)
		(void)write_record(announced);
	err = mptcp_pm_list(announced->pm, there, &there_count);
	if (err) {
		set_fault(announced, "cannot see what is announced", err);
		return;
	}
	/* Sessions of one that drains may have nothing else. It joins before it lets go of the
	 * record, so this look is behind that. */
	used = !announced->ends && left_behind_others();
	if (!used)
		withdraw(announced, there, there_count);
	if (wants_any(announced)) {
		/* First, so that nobody hears of an address and dials the other one. */
		if (!forbid_joins(announced))
			return;
		raise_limit(announced);
		announce(announced, there, there_count);
	} else if (!used && announced->count == 0 && restore(announced)) {
		let_go(announced, true);
	}
}

static void look(struct announced *announced)
{
	char before[sizeof(announced->fault)];

	snprintf(before, sizeof(before), "%s", announced->fault);
	announced->fault[0] = '\0';
	compare(announced);
	if (*announced->fault && strcmp(announced->fault, before) != 0)
		log_warning("announced addresses: %s", announced->fault);
}

/* Also goes on while there is something to take back, here or by who still has the record. */
static void look_on(struct announced *announced)
{
	look(announced);
	if (!wants_any(announced) && announced->record < 0 && announced->refused == 0)
		ev_timer_stop(announced->loop, &announced->look);
	else if (!ev_is_active(&announced->look))
		ev_timer_again(announced->loop, &announced->look);
}

static void on_look(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	look_on(timer->data);
}

struct announced *announced_open(struct ev_loop *loop, struct links *links)
{
	struct announced *announced = calloc(1, sizeof(*announced));

	if (!announced)
		return NULL;
	announced->loop = loop;
	announced->links = links;
	announced->record = -1;
	ev_timer_init(&announced->look, on_look, 0., LOOK_S);
	announced->look.data = announced;
	return announced;
}

void announced_configure(struct announced *announced, const struct config *config)
{
	const struct config *old = announced->config;

	announced->config = config_get(config);
	config_put(old);
	look_on(announced);
}

void announced_leave(struct announced *announced)
{
	ev_timer_stop(announced->loop, &announced->look);
	let_go(announced, false);
	config_put(announced->config);
	announced->config = NULL;
}

void announced_close(struct announced *announced)
{
	if (!announced)
		return;
	ev_timer_stop(announced->loop, &announced->look);
	config_put(announced->config);
	announced->config = NULL;
	announced->ends = true;
	if (announced->record >= 0)
		look(announced);
	let_go(announced, false);
	free(announced);
}

const char *announced_fault(const struct announced *announced)
{
	return announced ? announced->fault : "";
}
