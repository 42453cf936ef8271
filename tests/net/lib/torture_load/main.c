/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The load of the torture: as many sessions at a time as there are slots, each by a plan of its
 * own, until the time is up. Runs in the client's namespace and enters the server's to listen. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "load.h"
#include "pattern.h"

static const char usage[] =
	"usage: torture --server-net PATH --server ADDR --proxy ADDR:PORT --proxy-tcp ADDR:PORT\n"
	"               [--mptcp] [--sockmap] [--brief] [--sessions N] [--seconds S] [--seed N]\n"
	"               [--only N]\n"
	"\n"
	"Sessions to TCP servers go through --proxy-tcp, the others through --proxy.\n"
	"IPv6 addresses with a port stand in brackets, others do not.\n"
	"--brief: many short sessions instead of few long ones. "
	"--only repeats the plan of one session. Prints one line of JSON; failures go to standard\n"
	"error.\n";

struct settings settings = {
	.server_net = "", .sessions = 200, .seconds = 10, .seed = 1, .only = NEVER};

/* With a port behind an IPv4 address, or an IPv6 address in brackets; without brackets it has none.
 */
static union place parse(char *text)
{
	const bool v6 = text[0] == '[' || strchr(text, ':') != strrchr(text, ':');
	union place place = {.sa.sa_family = v6 ? AF_INET6 : AF_INET};
	char *colon = v6 && text[0] != '[' ? NULL : strrchr(text, ':');

	if (colon) {
		*colon = '\0';
		place.v4.sin_port = htons((in_port_t)strtoul(colon + 1, NULL, 10));
	}
	if (text[0] == '[') {
		text++;
		text[strcspn(text, "]")] = '\0';
	}
	if (inet_pton(place.sa.sa_family, text,
		      v6 ? (void *)&place.v6.sin6_addr : (void *)&place.v4.sin_addr) != 1)
		die("%s: not an address", text);
	return place;
}

/* The sockets stay where they were made. */
static void listen_in_server_namespace(void)
{
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int server = open(settings.server_net, O_RDONLY | O_CLOEXEC);

	if (home < 0 || server < 0 || setns(server, CLONE_NEWNET))
		die("%s: %s", settings.server_net, strerror(errno));
	slots_listen();
	if (setns(home, CLONE_NEWNET))
		die("setns: %s", strerror(errno));
	close(home);
	close(server);
}

static void parse_options(int argc, char **argv)
{
	static const struct option options[] = {
		{"server-net", required_argument, NULL, 'n'},
		{"server", required_argument, NULL, 's'},
		{"proxy", required_argument, NULL, 'p'},
		{"proxy-tcp", required_argument, NULL, 't'},
		{"mptcp", no_argument, NULL, 'm'},
		{"sockmap", no_argument, NULL, 'k'},
		{"brief", no_argument, NULL, 'b'},
		{"sessions", required_argument, NULL, 'c'},
		{"seconds", required_argument, NULL, 'd'},
		{"seed", required_argument, NULL, 'r'},
		{"only", required_argument, NULL, 'o'},
		{0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'n':
			settings.server_net = optarg;
			break;
		case 's':
			settings.server = parse(optarg);
			break;
		case 'p':
			settings.proxies[1] = parse(optarg);
			break;
		case 't':
			settings.proxies[0] = parse(optarg);
			break;
		case 'm':
			settings.mptcp = true;
			break;
		case 'k':
			settings.sockmap = true;
			break;
		case 'b':
			settings.brief = true;
			break;
		case 'c':
			settings.sessions = strtoul(optarg, NULL, 10);
			break;
		case 'd':
			settings.seconds = strtoul(optarg, NULL, 10);
			break;
		case 'r':
			settings.seed = strtoull(optarg, NULL, 10);
			break;
		case 'o':
			settings.only = strtoull(optarg, NULL, 10);
			break;
		default:
			fputs(usage, stderr);
			exit(2);
		}
	}
	if (optind != argc || !settings.server_net[0] || !settings.server.sa.sa_family ||
	    !settings.proxies[0].sa.sa_family || !settings.proxies[1].sa.sa_family) {
		fputs(usage, stderr);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	parse_options(argc, argv);
	pattern_init();
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_fd < 0)
		die("epoll: %s", strerror(errno));
	listen_in_server_namespace();
	settings.started_ns = now_ns();
	slots_serve();
	print_totals();
	return totals.failures != 0;
}
