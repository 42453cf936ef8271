/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `hawser doctor`: asks hawserd and the kernel, and walks over host, links, exits and what was
 * given. The checks are in the files check_*. */
#include "doctor/doctor.h"

#include <errno.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"
#include "cli/arguments.h"
#include "cli/control_client.h"
#include "cli/die.h"
#include "doctor/doctor_private.h"
#include "intercept/apply.h"
#include "intercept/obstacle.h"
#include "intercept/ruleset.h"
#include "net/kernel.h"
#include "net/netlink.h"
#include "proto/exit_place.h"

/* For hawserd's first probe of an exit. */
#define PROBE_TRIES   25
#define PROBE_EACH_MS 200

static union address parse_ip(const char *text)
{
	struct prefix prefix = {0};

	return *text && prefix_parse(text, &prefix) == 0 ? prefix.base : (union address){0};
}

/* NULL when it does not know the command, as an older one; or does not answer. */
static struct json_object *ask(struct connection *connection, const char *command)
{
	if (control_client_ask(connection, command, 0))
		return NULL;
	return json_object_get(connection->answer);
}

static bool is_any_untried(struct json_object *answer)
{
	struct json_object *exits = json_member(answer, "exits");

	for (size_t i = 0; i < json_length(exits); i++)
		if (strcmp(json_text(json_object_array_get_idx(exits, i), "state"), "untried") == 0)
			return true;
	return false;
}

static void ask_all(struct doctor *doctor, struct connection *connection)
{
	const struct timespec pause = {.tv_nsec = PROBE_EACH_MS * 1000000L};

	doctor->link_answer = ask(connection, "links");
	doctor->exit_answer = ask(connection, "exits");
	doctor->intercept_answer = ask(connection, "intercept");
	for (int i = 0; i < PROBE_TRIES && is_any_untried(doctor->exit_answer); i++) {
		json_object_put(doctor->exit_answer);
		nanosleep(&pause, NULL);
		doctor->exit_answer = ask(connection, "exits");
	}
}

/* What it has told before it fell silent counts. */
static void ask_hawserd(struct doctor *doctor)
{
	struct connection connection;
	const char *problem = connection.problem;

	if (control_client_try(&connection, doctor->control_path))
		problem = control_client_ask(&connection, "status", 0);
	if (!problem) {
		doctor->status = json_object_get(connection.answer);
		ask_all(doctor, &connection);
		problem = connection.fd < 0 ? connection.problem : NULL;
	}
	if (problem) {
		snprintf(doctor->control_problem, sizeof(doctor->control_problem), "%s", problem);
		doctor->control_errno = connection.err;
		json_object_put(doctor->status);
		doctor->status = NULL;
	}
	control_client_close(&connection);
}

static void take_path(struct doctor_path *path, struct json_object *report)
{
	path->address = parse_ip(json_text(report, "address"));
	path->gateway = parse_ip(json_text(report, "gateway"));
	path->routed = json_object_get_boolean(json_member(report, "routed"));
	path->taken = json_object_get_boolean(json_member(report, "taken"));
	path->works = json_object_get_boolean(json_member(report, "works"));
}

static bool is_off(const struct doctor_link *link)
{
	return strcmp(link->state, "off") == 0;
}

static void take_links(struct doctor *doctor)
{
	struct json_object *list = json_member(doctor->link_answer, "links");

	for (size_t i = 0; i < json_length(list) && doctor->link_count < LINKS_MAX; i++) {
		struct json_object *report = json_object_array_get_idx(list, i);
		struct doctor_link *link = &doctor->links[doctor->link_count];

		*link = (struct doctor_link){
			.name = json_text(report, "name"),
			.device = json_text(report, "device"),
			.state = json_text(report, "state"),
			.login = json_text(json_member(report, "portal"), "login"),
			.table = (uint32_t)json_count(report, "table")};
		link->index = (int)if_nametoindex(link->device);
		take_path(&link->paths[IP_V4], json_member(report, "ipv4"));
		take_path(&link->paths[IP_V6], json_member(report, "ipv6"));
		doctor->link_count += !is_off(link);
	}
	doctor->set_up = json_object_get_boolean(
		json_member(json_member(doctor->status, "links"), "set_up"));
}

static void ask_kernel(struct doctor *doctor)
{
	struct intercept_fault fault;
	struct mptcp_pm *pm;
	int err;

	kernel_probe();
	doctor->mptcp = kernel_feature(FEATURE_MPTCP)->available;
	doctor->netlink = netlink_open(NETLINK_ROUTE);
	err = doctor->netlink ? net_view_load(&doctor->view, doctor->netlink) : -errno;
	if (err)
		die("cannot read the kernel's routes: %s", strerror(-err));
	pm = mptcp_pm_open();
	doctor->endpoints_known =
		pm && mptcp_pm_list(pm, doctor->endpoints, &doctor->endpoint_count) == 0 &&
		mptcp_pm_get_limits(pm, &doctor->limits) == 0;
	mptcp_pm_close(pm);
	doctor->rules = intercept_list_rules();
	doctor->intercepted = intercept_in_force(&fault);
}

/* Where nobody has anything to do with it, nothing is said of it. */
static void walk_interception(struct doctor *doctor)
{
	const struct doctor_subject subject = {.kind = "interception", .name = ""};

	if (!doctor_is_intercepting(doctor))
		return;
	doctor_head(doctor, subject.kind, "");
	(void)doctor_do(doctor, doctor_intercept_checks, &subject);
}

/* What is known not to work is not waited for later. */
static void walk_link(struct doctor *doctor, struct doctor_link *link)
{
	struct doctor_subject subject = {.kind = "link", .name = link->name, .link = link};

	doctor_head(doctor, "link", link->name);
	if (!doctor_do(doctor, doctor_link_checks, &subject))
		return;
	subject.of_family = true;
	for (subject.family = 0; subject.family < IP_FAMILIES; subject.family++)
		if (!doctor_do(doctor, doctor_family_checks, &subject))
			link->paths[subject.family].works = false;
}

static void walk_path(struct doctor *doctor, struct doctor_subject *subject,
		      const struct doctor_link *link)
{
	subject->link = link;
	subject->of_family = true;
	for (subject->family = 0; subject->family < IP_FAMILIES; subject->family++)
		if (link->paths[subject->family].works &&
		    subject->target->addresses[subject->family].sa.sa_family != AF_UNSPEC)
			(void)doctor_do(doctor, doctor_path_checks, subject);
}

/* Where hawserd has no links, the kernel's choice stands for one. A family without any route is
 * left out if the other has one. */
static struct doctor_link choose_any(const struct doctor_target *target)
{
	struct doctor_link any = {.name = "", .device = "", .state = "up"};

	for (enum ip_family family = 0; family < IP_FAMILIES; family++) {
		const union address *address = &target->addresses[family];
		const int fd =
			socket(family == IP_V6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

		/* Sends nothing. */
		any.paths[family].works = fd >= 0 && address->sa.sa_family != AF_UNSPEC &&
					  connect(fd, &address->sa, address_length(address)) == 0;
		if (fd >= 0)
			close(fd);
	}
	if (!any.paths[IP_V4].works && !any.paths[IP_V6].works)
		any.paths[IP_V4].works = any.paths[IP_V6].works = true;
	return any;
}

static void walk_target(struct doctor *doctor, struct doctor_target *target)
{
	struct doctor_link any;
	struct doctor_subject subject = {.kind = target->exit ? "exit" : "destination",
					 .name = target->name,
					 .target = target};

	doctor_head(doctor, subject.kind, target->name);
	if (!doctor_do(doctor, doctor_target_checks, &subject))
		return;
	for (size_t i = 0; i < doctor->link_count; i++)
		walk_path(doctor, &subject, &doctor->links[i]);
	if (doctor->link_count > 0)
		return;
	any = choose_any(target);
	walk_path(doctor, &subject, &any);
}

static void walk_exits(struct doctor *doctor)
{
	struct json_object *exits = json_member(doctor->exit_answer, "exits");

	for (size_t i = 0; i < json_length(exits); i++) {
		struct json_object *exit = json_object_array_get_idx(exits, i);
		struct doctor_target target = {.name = json_text(exit, "name"), .exit = exit};
		struct exit_place place;

		if (exit_place_parse(json_text(exit, "address"), &place))
			continue;
		target.destination = place.destination;
		target.also = place.also;
		walk_target(doctor, &target);
	}
}

static void walk_destination(struct doctor *doctor, const struct destination *destination)
{
	char name[DESTINATION_TEXT_MAX];
	struct doctor_target target = {.name = destination_format(destination, name),
				       .destination = *destination};

	walk_target(doctor, &target);
}

static void doctor_ask(struct doctor *doctor)
{
	ask_hawserd(doctor);
	take_links(doctor);
	ask_kernel(doctor);
}

static void doctor_free(struct doctor *doctor)
{
	net_view_free(&doctor->view);
	netlink_close(doctor->netlink);
	json_object_put(doctor->status);
	json_object_put(doctor->link_answer);
	json_object_put(doctor->exit_answer);
	json_object_put(doctor->intercept_answer);
	json_object_put(doctor->intercepted);
	json_object_put(doctor->rules);
	json_object_put(doctor->checks);
	free(doctor);
}

bool doctor_test_exit(const char *control, const char *name, const struct exit_place *place,
		      const struct token *token)
{
	struct doctor *doctor = calloc(1, sizeof(*doctor));
	struct doctor_target target = {.name = name,
				       .destination = place->destination,
				       .also = place->also,
				       .token = token};
	bool good;

	if (!doctor)
		die("out of memory");
	doctor->control_path = control;
	doctor->checks = json_object_new_array();
	target.exit = json_object_new_object();
	doctor_ask(doctor);
	walk_target(doctor, &target);
	flush_or_die();
	good = doctor->worst != DOCTOR_FAIL;
	json_object_put(target.exit);
	doctor_free(doctor);
	return good;
}

int doctor_main(const struct command *command, int argc, char **argv)
{
	static const struct usage usage = {.options = CLI_TAKES(CLI_CONTROL) | CLI_TAKES(CLI_JSON),
					   .words = "[HOST:PORT]",
					   .words_max = 1};
	struct doctor *doctor;
	struct arguments arguments;
	struct destination destination;
	const struct doctor_subject host = {.kind = "host", .name = ""};
	enum doctor_verdict worst;

	arguments_parse(&arguments, command, argc, argv, &usage);
	if (arguments.words[0] && destination_parse(arguments.words[0], &destination))
		die_usage(command->name, "%s: expected HOST:PORT, ADDRESS:PORT or [ADDRESS6]:PORT",
			  arguments.words[0]);
	doctor = calloc(1, sizeof(*doctor));
	if (!doctor)
		die("out of memory");
	doctor->control_path = arguments.control;
	doctor->json = arguments.option[CLI_JSON] != NULL;
	doctor->checks = json_object_new_array();
	doctor_ask(doctor);
	doctor_head(doctor, "host", "");
	if (doctor_do(doctor, doctor_host_checks, &host)) {
		walk_interception(doctor);
		for (size_t i = 0; i < doctor->link_count; i++)
			walk_link(doctor, &doctor->links[i]);
		walk_exits(doctor);
		if (arguments.words[0])
			walk_destination(doctor, &destination);
	}
	doctor_print_end(doctor);
	flush_or_die();
	worst = doctor->worst;
	doctor_free(doctor);
	return worst == DOCTOR_FAIL ? EXIT_FAILURE : EXIT_SUCCESS;
}
