/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The doctor's checks of hawserd itself, of this kernel and of the host's name servers. */
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "doctor/check_firewall.h"
#include "doctor/dns.h"
#include "doctor/doctor_private.h"
#include "net/kernel.h"
#include "net/mptcp_options.h"

/* Of ip-sysctl.rst: to ask for it, to serve it, and to serve on listeners that did not ask for it.
 */
#define FAST_OPEN_ASK	    0x1
#define FAST_OPEN_SERVE	    0x2
#define FAST_OPEN_SERVE_ANY 0x400

/* So often since hawserd's start, and so lately. */
#define DISTURBED_TIMES 3
#define DISTURBED_S	60

static bool look_hawserd(struct doctor *doctor, const struct doctor_subject *subject,
			 struct doctor_finding *out)
{
	(void)subject;
	if (doctor->status) {
		doctor_saw(out, DOCTOR_OK, "version %s, pid %" PRIu64,
			   json_text(doctor->status, "version"), json_count(doctor->status, "pid"));
		return true;
	}
	doctor_saw(out, DOCTOR_FAIL, "hawserd does not answer on %s: %s", doctor->control_path,
		   doctor->control_problem);
	switch (doctor->control_errno) {
	case 0:
		doctor_mend(out, "run this again; if it does not help, see hawserd's log, and "
				 "restart it");
		break;
	case EACCES:
		doctor_mend(out, "run this as root");
		break;
	case EPERM:
		doctor_mend(out, "name hawserd's socket: hawser doctor --control PATH");
		break;
	default:
		doctor_mend(out, "start it, for example: hawserd -c /etc/hawser/hawser.conf; if it "
				 "runs, name its socket: hawser doctor --control PATH");
	}
	return true;
}

/* What is seen from another network namespace is of no use. */
static bool look_namespace(struct doctor *doctor, const struct doctor_subject *subject,
			   struct doctor_finding *out)
{
	const uint64_t pid = json_count(doctor->status, "pid");
	char path[64];
	struct stat its;
	struct stat ours;

	(void)subject;
	snprintf(path, sizeof(path), "/proc/%" PRIu64 "/ns/net", pid);
	if (pid == 0 || stat(path, &its) || stat("/proc/self/ns/net", &ours))
		return false; /* as in a container, whose processes have other numbers */
	if (its.st_ino == ours.st_ino && its.st_dev == ours.st_dev)
		return false;
	doctor_saw(out, DOCTOR_FAIL, "hawserd runs in another network namespace");
	doctor_mend(out, "nsenter --net=%s hawser --control %s doctor", path, doctor->control_path);
	return true;
}

static bool look_rights(struct doctor *doctor, const struct doctor_subject *subject,
			struct doctor_finding *out)
{
	int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);

	(void)subject;
	if (fd >= 0)
		close(fd);
	if (fd >= 0 && (doctor->endpoints_known || !doctor->mptcp))
		return false;
	doctor_saw(out, DOCTOR_WARN, "%s, so doctor cannot check gateways, MTU and endpoints",
		   fd >= 0 ? "CAP_NET_ADMIN is missing" : "CAP_NET_RAW is missing");
	doctor_mend(out, "run this as root");
	return true;
}

static bool look_mptcp(struct doctor *doctor, const struct doctor_subject *subject,
		       struct doctor_finding *out)
{
	const struct feature_state *state = kernel_feature(FEATURE_MPTCP);

	(void)subject;
	if (!state->available) {
		doctor_saw(out, DOCTOR_FAIL, "%s", state->reason);
		doctor_mend(out, strstr(state->reason, "sysctl")
					 ? "sysctl -w net.mptcp.enabled=1"
					 : "use a kernel with CONFIG_MPTCP and CONFIG_MPTCP_IPV6");
	} else if (strcmp(json_text(doctor->status, "mptcp"), "off") == 0) {
		doctor_saw(out, DOCTOR_WARN, "the kernel has MPTCP, but hawserd does not use it");
		doctor_mend(out,
			    "start hawserd with --mptcp=auto, or set mptcp = \"auto\" in section "
			    "upstream");
	} else {
		doctor_saw(out, DOCTOR_OK, "the kernel has MPTCP");
	}
	return true;
}

static bool look_options(struct doctor *doctor, const struct doctor_subject *subject,
			 struct doctor_finding *out)
{
	const struct mptcp_option *refused[MPTCP_OPTIONS_MAX];
	const size_t count = doctor->mptcp ? mptcp_options_try(refused) : 0;
	char text[sizeof(out->seen)] = "";
	bool harms = false;

	(void)subject;
	for (size_t i = 0; i < count; i++) {
		const size_t len = strlen(text);

		harms = harms || refused[i]->harms;
		snprintf(text + len, sizeof(text) - len, "%swithout %s, %s", i ? "; " : "",
			 refused[i]->name, refused[i]->without);
	}
	if (count == 0)
		return false;
	doctor_saw(out, harms ? DOCTOR_WARN : DOCTOR_OK, "MPTCP sockets lack options: %s", text);
	if (harms)
		doctor_mend(out, "use a newer kernel");
	return true;
}

/* Whatever is cut is cut by a reset. */
static bool look_resets(struct doctor *doctor, const struct doctor_subject *subject,
			struct doctor_finding *out)
{
	const struct feature_state *state = kernel_feature(FEATURE_MPTCP_RESET);

	(void)subject;
	if (!doctor->mptcp || strcmp(json_text(doctor->status, "mptcp"), "off") == 0)
		return false;
	if (state->available) {
		doctor_saw(out, DOCTOR_OK, "an MPTCP peer sees that a session was cut");
		return true;
	}
	doctor_saw(out, DOCTOR_WARN,
		   "%s: a session that was cut may look complete to an MPTCP peer", state->reason);
	doctor_mend(out, "use another kernel (or, if loopback is down: ip link set dev lo up)");
	return true;
}

long doctor_read_setting(const char *path)
{
	FILE *file = fopen(path, "re");
	char line[32] = "";
	long value = -1;

	if (!file)
		return -1;
	if (fgets(line, sizeof(line), file))
		value = strtol(line, NULL, 10);
	fclose(file);
	return value;
}

/* Endpoints mean nothing to another path manager than the kernel's. */
static bool look_path_manager(struct doctor *doctor, const struct doctor_subject *subject,
			      struct doctor_finding *out)
{
	(void)subject;
	if (!doctor->mptcp || doctor_read_setting("/proc/sys/net/mptcp/pm_type") <= 0)
		return false;
	doctor_saw(out, DOCTOR_FAIL,
		   "a program manages MPTCP's paths; hawserd needs the kernel's path manager");
	doctor_mend(out, "sysctl -w net.mptcp.pm_type=0");
	return true;
}

static bool look_limits(struct doctor *doctor, const struct doctor_subject *subject,
			struct doctor_finding *out)
{
	const uint32_t subflows = doctor->limits.subflows;

	(void)subject;
	if (!doctor->mptcp || !doctor->endpoints_known || doctor->link_count < 2)
		return false;
	if (subflows + 1 >= doctor->link_count) {
		doctor_saw(out, DOCTOR_OK, "a connection may have %" PRIu32 " more subflows",
			   subflows);
		return true;
	}
	doctor_saw(out, DOCTOR_FAIL,
		   "a connection may have only %" PRIu32 " more subflows, but there are %zu links",
		   subflows, doctor->link_count);
	doctor_mend(out, "ip mptcp limits set subflow 8 add_addr_accepted 8");
	return true;
}

/* Hops by plain TCP use it, so it matters where there are exits. */
static bool look_plain_fast_open(struct doctor *doctor, long setting, struct doctor_finding *out)
{
	if (json_length(json_member(doctor->exit_answer, "exits")) == 0)
		return false;
	if (setting & FAST_OPEN_ASK) {
		doctor_saw(out, DOCTOR_OK, "hawserd uses it with exits that serve it");
		return true;
	}
	doctor_saw(out, DOCTOR_WARN,
		   "it is off, so every connection through an exit takes one more round trip");
	doctor_mend(out, "sysctl -w net.ipv4.tcp_fastopen=%ld", setting | FAST_OPEN_ASK);
	return true;
}

/* hawserd asks for it nowhere else, since MPTCP loses what is answered before the handshake has
 * ended. */
static bool look_fast_open(struct doctor *doctor, const struct doctor_subject *subject,
			   struct doctor_finding *out)
{
	const long setting = doctor_read_setting("/proc/sys/net/ipv4/tcp_fastopen");

	(void)subject;
	if (setting < 0)
		return false;
	if (!doctor->mptcp || strcmp(json_text(doctor->status, "mptcp"), "off") == 0)
		return look_plain_fast_open(doctor, setting, out);
	if (!(setting & FAST_OPEN_SERVE) || !(setting & FAST_OPEN_SERVE_ANY)) {
		doctor_saw(out, DOCTOR_OK,
			   "hawserd does not use it: with MPTCP, the kernel loses answers");
		return true;
	}
	doctor_saw(out, DOCTOR_WARN,
		   "it is on for all listeners of this host, and the kernel loses answers to MPTCP "
		   "clients that use it");
	doctor_mend(out, "sysctl -w net.ipv4.tcp_fastopen=%ld", setting & ~FAST_OPEN_SERVE_ANY);
	return true;
}

static bool look_bbr(struct doctor *doctor, const struct doctor_subject *subject,
		     struct doctor_finding *out)
{
	const struct feature_state *state = kernel_feature(FEATURE_BBR);

	(void)doctor;
	(void)subject;
	if (state->available) {
		doctor_saw(out, DOCTOR_OK, "the kernel has BBR");
	} else {
		doctor_saw(out, DOCTOR_WARN, "%s, so links that lose packets are slow",
			   state->reason);
		doctor_mend(out, "modprobe tcp_bbr (on OpenWrt, install kmod-tcp-bbr)");
	}
	return true;
}

/* None of these is needed. */
static bool look_abilities(struct doctor *doctor, const struct doctor_subject *subject,
			   struct doctor_finding *out)
{
	struct json_object *list = json_member(doctor->status, "kernel");
	char has[192] = "";
	char lacks[192] = "";

	(void)subject;
	for (size_t i = 0; i < json_length(list); i++) {
		struct json_object *feature = json_object_array_get_idx(list, i);
		const char *name = json_text(feature, "feature");
		const bool there = json_object_get_boolean(json_member(feature, "available"));
		char *text = there ? has : lacks;
		const size_t size = there ? sizeof(has) : sizeof(lacks);
		const size_t len = strlen(text);

		if (strcmp(name, "mptcp") != 0 && strcmp(name, "bbr") != 0)
			snprintf(text + len, size - len, " %s", name);
	}
	if (!*has && !*lacks)
		return false;
	doctor_saw(out, DOCTOR_OK, "available:%s; missing:%s ('hawser status' says why)",
		   *has ? has : " nothing", *lacks ? lacks : " nothing");
	return true;
}

static bool look_dns(struct doctor *doctor, const struct doctor_subject *subject,
		     struct doctor_finding *out)
{
	struct doctor_dns_server servers[DOCTOR_DNS_SERVERS_MAX];
	const size_t count = doctor_dns_ask(servers);
	char dead[128] = "";
	size_t alive = 0;

	(void)doctor;
	(void)subject;
	for (size_t i = 0; i < count; i++) {
		char text[ADDRESS_TEXT_MAX];
		const size_t len = strlen(dead);

		alive += servers[i].answers;
		if (!servers[i].answers)
			snprintf(dead + len, sizeof(dead) - len, " %s",
				 address_format_ip(&servers[i].address, text));
	}
	if (!*dead && count > 0) {
		doctor_saw(out, DOCTOR_OK, "%zu of %zu name servers answer", alive, count);
		return true;
	}
	doctor_saw(out, alive ? DOCTOR_WARN : DOCTOR_FAIL, "%s%s",
		   count > 0 ? "these name servers do not answer:" : "there is no name server",
		   dead);
	doctor_mend(out,
		    "add 'nameserver ADDRESS' to /etc/resolv.conf, of one that each link reaches");
	return true;
}

/* Of this host as an exit. */
static bool look_tokens(struct doctor *doctor, const struct doctor_subject *subject,
			struct doctor_finding *out)
{
	struct json_object *tokens = json_member(doctor->status, "tokens");

	(void)subject;
	for (size_t i = 0; i < json_length(tokens); i++) {
		struct json_object *token = json_object_array_get_idx(tokens, i);
		struct json_object *full = json_member(token, "full_for_s");

		if (!full)
			continue;
		doctor_saw(out, DOCTOR_WARN,
			   "token %s has had all its %" PRIu64 " sessions for %.0f s",
			   json_text(token, "name"), json_count(token, "sessions_max"),
			   json_object_get_double(full));
		doctor_mend(out, "raise sessions=N of this token in the --tokens file, and reload");
		return true;
	}
	return false;
}

/* links = auto and no link: there is no default route, or a tunnel has it. */
static void say_no_link(const struct doctor *doctor, struct doctor_finding *out)
{
	for (enum ip_family family = 0; family < IP_FAMILIES; family++) {
		const struct net_device *device =
			net_view_device_at(&doctor->view, doctor->view.ways[family].device);

		if (!device || !device->vpn)
			continue;
		doctor_saw(
			out, DOCTOR_WARN,
			"hawserd finds no link: the tunnel %s takes everything, and nothing shall "
			"go past it",
			device->name);
		doctor_mend(out, "nothing, if that is wanted; else name the links in link sections "
				 "(the tunnel may be one)");
		return;
	}
	doctor_saw(out, DOCTOR_FAIL, "hawserd finds no link: there is no default route");
	doctor_mend(out, "ip route add default via GATEWAY dev INTERFACE metric 100");
}

bool doctor_is_disturbed(struct json_object *kept)
{
	return json_count(kept, "put_back") >= DISTURBED_TIMES &&
	       json_seconds(kept, "last_age_s") < DISTURBED_S;
}

static bool look_links(struct doctor *doctor, const struct doctor_subject *subject,
		       struct doctor_finding *out)
{
	const char *reason = json_text(doctor->link_answer, "reason");

	(void)subject;
	if (!doctor->link_answer)
		return false;
	if (doctor->link_count == 0 &&
	    strcmp(json_text(json_member(doctor->status, "links"), "mode"), "auto") == 0) {
		say_no_link(doctor, out);
	} else if (doctor->link_count == 0) {
		doctor_saw(out, DOCTOR_OK,
			   "none: hawserd manages no links (with --links auto it does)");
	} else if (*reason && strcmp(reason, "links = manual") != 0) {
		doctor_saw(out, DOCTOR_WARN, "%zu, but hawserd cannot set them up: %s",
			   doctor->link_count, reason);
		doctor_mend(out, strstr(reason, "another hawserd")
					 ? "stop the other hawserd (see ps); this one takes over"
					 : "run hawserd as root or with CAP_NET_ADMIN");
	} else if (*json_text(doctor->link_answer, "fault")) {
		doctor_saw(out, DOCTOR_FAIL, "%zu, which %s", doctor->link_count,
			   json_text(doctor->link_answer, "fault"));
		doctor_mend(out, "ip rule; ip route show table all proto 104; ip mptcp endpoint: "
				 "what is in the way there is somebody else's");
	} else if (doctor_is_disturbed(doctor->link_answer)) {
		doctor_saw(out, DOCTOR_WARN,
			   "%zu, but others have deleted what hawserd set up %" PRIu64
			   " times; last: %s",
			   doctor->link_count, json_count(doctor->link_answer, "put_back"),
			   json_text(doctor->link_answer, "last"));
		doctor_mend(out, DOCTOR_DISTURBED_MEND);
	} else if (*json_text(doctor->link_answer, "without_endpoint")) {
		doctor_saw(out, DOCTOR_WARN,
			   "%zu, but the kernel keeps no more than %zu MPTCP "
			   "endpoints: none for %s",
			   doctor->link_count, doctor->endpoint_count,
			   json_text(doctor->link_answer, "without_endpoint"));
		doctor_mend(out,
			    "ip mptcp endpoint: delete those of others that nobody needs; else "
			    "set role = off for the links that matter least");
	} else if (*json_text(doctor->link_answer, "left_out")) {
		doctor_saw(out, DOCTOR_WARN, "%zu, which are as many as there may be: %s is none",
			   doctor->link_count, json_text(doctor->link_answer, "left_out"));
		doctor_mend(out, "name those that matter in link sections, and links = listed");
	} else {
		doctor_saw(out, DOCTOR_OK, "%zu, set up by %s", doctor->link_count,
			   *reason ? "the administrator (links = manual)" : "hawserd");
	}
	return true;
}

const struct doctor_check doctor_host_checks[] = {
	{"hawserd", look_hawserd, false},
	{"namespace", look_namespace, true},
	{"rights", look_rights, false},
	{"mptcp", look_mptcp, false},
	{"options", look_options, false},
	{"resets", look_resets, false},
	{"path manager", look_path_manager, false},
	{"limits", look_limits, false},
	{"fast open", look_fast_open, false},
	{"bbr", look_bbr, false},
	{"abilities", look_abilities, false},
	{"firewall", doctor_look_firewall, false},
	{"links", look_links, false},
	{"dns", look_dns, false},
	{"tokens", look_tokens, false},
	{NULL, NULL, false},
};
