/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The load of the benchmark, both ends of it: streams, or requests and responses, over TCP or
 * MPTCP, direct or through a SOCKS5 proxy. Knows nothing of what is compared. */
#include "load.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
	"usage: load serve --listen ADDR:PORT [--mptcp] [READING]\n"
	"       load run --to ADDR:PORT [--proxy ADDR:PORT] [--mptcp] [READING]\n"
	"                [--nonblocking]\n"
	"                --work download|upload|duplex|exchange|churn|idle|ends\n"
	"                [--connections N]\n"
	"                [--warm-up S] [--seconds S | --bytes N]\n"
	"                [--request BYTES] [--response BYTES] [--rate EXCHANGES-PER-SECOND] "
	"[--turns N]\n"
	"\n"
	"`load run` prints one line of JSON. What it counts is what arrived between the end of "
	"the\n"
	"warm-up and the end of the run, whichever side it arrived at. --bytes is per connection.\n"
	"--turns: so many exchanges come before a stream.\n"
	"Wrong bytes end it with status 3. duplex: streams both ways; churn: a connection for each "
	"exchange; "
	"idle:\n"
	"says when all connections stand and are silent; ends: whether half-closes and resets "
	"come\n"
	"through.\n"
	"\n"
	"READING, how streams are received:\n"
	"  --buffer BYTES      per call, 262144\n"
	"  --low-water BYTES   SO_RCVLOWAT, so that fewer segments wake the reader\n";

enum status { STATUS_FAILED = 1, STATUS_USAGE = 2, STATUS_WRONG_BYTES = 3 };

static void complain(const char *format, va_list arguments)
{
	fputs("load: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
}

void die(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	complain(format, arguments);
	va_end(arguments);
	exit(STATUS_FAILED);
}

void die_of_wrong_bytes(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	complain(format, arguments);
	va_end(arguments);
	exit(STATUS_WRONG_BYTES);
}

enum option_id {
	OPTION_LISTEN = 256,
	OPTION_TO,
	OPTION_PROXY,
	OPTION_MPTCP,
	OPTION_NONBLOCKING,
	OPTION_WORK,
	OPTION_CONNECTIONS,
	OPTION_WARM_UP,
	OPTION_SECONDS,
	OPTION_BYTES,
	OPTION_REQUEST,
	OPTION_RESPONSE,
	OPTION_RATE,
	OPTION_TURNS,
	OPTION_BUFFER,
	OPTION_LOW_WATER,
	OPTION_HELP,
};

static const struct option options[] = {
	{"listen", required_argument, NULL, OPTION_LISTEN},
	{"to", required_argument, NULL, OPTION_TO},
	{"proxy", required_argument, NULL, OPTION_PROXY},
	{"mptcp", no_argument, NULL, OPTION_MPTCP},
	{"nonblocking", no_argument, NULL, OPTION_NONBLOCKING},
	{"work", required_argument, NULL, OPTION_WORK},
	{"connections", required_argument, NULL, OPTION_CONNECTIONS},
	{"warm-up", required_argument, NULL, OPTION_WARM_UP},
	{"seconds", required_argument, NULL, OPTION_SECONDS},
	{"bytes", required_argument, NULL, OPTION_BYTES},
	{"request", required_argument, NULL, OPTION_REQUEST},
	{"response", required_argument, NULL, OPTION_RESPONSE},
	{"rate", required_argument, NULL, OPTION_RATE},
	{"turns", required_argument, NULL, OPTION_TURNS},
	{"buffer", required_argument, NULL, OPTION_BUFFER},
	{"low-water", required_argument, NULL, OPTION_LOW_WATER},
	{"help", no_argument, NULL, OPTION_HELP},
	{0},
};

static double number(const char *text, double lowest, double highest)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end != '\0' || !(value >= lowest && value <= highest))
		die("%s: not a number from %g to %g", text, lowest, highest);
	return value;
}

static const char *const work_names[] = {
	[WORK_DOWNLOAD] = "download", [WORK_UPLOAD] = "upload", [WORK_DUPLEX] = "duplex",
	[WORK_EXCHANGE] = "exchange", [WORK_CHURN] = "churn",	[WORK_IDLE] = "idle",
	[WORK_ENDS] = "ends"};

const char *work_name(enum work work)
{
	return work_names[work];
}

static enum work work_of(const char *text)
{
	for (size_t i = 0; i < sizeof(work_names) / sizeof(work_names[0]); i++)
		if (strcmp(text, work_names[i]) == 0)
			return (enum work)i;
	die("%s: not download, upload, duplex, exchange, churn, idle or ends", text);
}

/* Returns the address to listen on, NULL if none is given. */
static const char *parse_options(int argc, char **argv, struct plan *plan)
{
	const char *listen_on = NULL;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case OPTION_LISTEN:
			listen_on = optarg;
			break;
		case OPTION_TO:
			plan->to = optarg;
			break;
		case OPTION_PROXY:
			plan->proxy = optarg;
			break;
		case OPTION_MPTCP:
			plan->mptcp = true;
			break;
		case OPTION_NONBLOCKING:
			plan->nonblocking = true;
			break;
		case OPTION_WORK:
			plan->work = work_of(optarg);
			break;
		case OPTION_CONNECTIONS:
			plan->connections = (size_t)number(optarg, 1, 60000);
			break;
		case OPTION_WARM_UP:
			plan->warm_up_ns = (uint64_t)(number(optarg, 0, 3600) * (double)NS_PER_S);
			break;
		case OPTION_SECONDS:
			plan->duration_ns =
				(uint64_t)(number(optarg, 1e-3, 86400) * (double)NS_PER_S);
			break;
		case OPTION_BYTES:
			plan->stream_bytes = (uint64_t)number(optarg, 1, 1e15);
			break;
		case OPTION_REQUEST:
			plan->request_bytes = (uint32_t)number(optarg, 1, 1 << 30);
			break;
		case OPTION_RESPONSE:
			plan->response_bytes = (uint32_t)number(optarg, 1, 1 << 30);
			break;
		case OPTION_RATE:
			plan->per_second = number(optarg, 1e-3, 1e9);
			break;
		case OPTION_TURNS:
			plan->turns = (uint32_t)number(optarg, 1, 1e6);
			break;
		case OPTION_BUFFER:
			plan->reading.buffer_bytes = (size_t)number(optarg, 1, 1 << 30);
			break;
		case OPTION_LOW_WATER:
			plan->reading.low_water_bytes = (int)number(optarg, 1, 1 << 30);
			break;
		case OPTION_HELP:
			fputs(usage, stdout);
			exit(0);
		default:
			fputs(usage, stderr);
			exit(STATUS_USAGE);
		}
	}
	if (optind != argc)
		die("%s: one argument too many", argv[optind]);
	return listen_on;
}

struct hello plan_hello(const struct plan *plan)
{
	uint64_t from_ns = now_ns() + (plan->stream_bytes ? 0 : plan->warm_up_ns);

	return (struct hello){
		.magic = hello_magic,
		.work = plan->work,
		.request_bytes = plan->request_bytes,
		.response_bytes = plan->response_bytes,
		.turns = plan->turns,
		.stream_bytes = plan->stream_bytes,
		.from_ns = from_ns,
		.to_ns = plan->stream_bytes ? UINT64_MAX : from_ns + plan->duration_ns,
	};
}

/* The window opens for all connections at once, when all of them stand. */
static void run_together(const struct plan *plan)
{
	int *fds = calloc(plan->connections, sizeof(int));
	struct hello hello;

	if (!fds)
		die("no memory");
	for (size_t i = 0; i < plan->connections; i++)
		fds[i] = net_connect(plan);
	hello = plan_hello(plan);
	for (size_t i = 0; i < plan->connections; i++)
		net_write_all(fds[i], &hello, sizeof(hello));
	if (plan->work == WORK_EXCHANGE)
		exchange_run(plan, &hello, fds);
	else if (plan->work == WORK_IDLE)
		idle_run(plan, &hello, fds);
	else
		bulk_run(plan, &hello, fds);
	for (size_t i = 0; i < plan->connections; i++)
		close(fds[i]);
	free(fds);
}

int main(int argc, char **argv)
{
	struct plan plan = {
		.connections = 1,
		.request_bytes = 64,
		.response_bytes = 64,
		.warm_up_ns = NS_PER_S / 2,
		.duration_ns = 2 * NS_PER_S,
		.reading.buffer_bytes = (size_t)256 * 1024,
	};
	const char *command = argc > 1 ? argv[1] : "";
	const char *listen_on;

	if (strcmp(command, "serve") != 0 && strcmp(command, "run") != 0) {
		fputs(usage, strcmp(command, "--help") == 0 ? stdout : stderr);
		return strcmp(command, "--help") == 0 ? 0 : STATUS_USAGE;
	}
	listen_on = parse_options(argc - 1, argv + 1, &plan);
	if (strcmp(command, "serve") == 0) {
		if (!listen_on)
			die("--listen is missing");
		serve(listen_on, &plan);
	}
	if (!plan.to)
		die("--to is missing");
	if (plan.work > WORK_DUPLEX && plan.stream_bytes)
		die("--bytes is for streams");
	if (plan.work == WORK_ENDS)
		ends_run(&plan);
	else if (plan.work == WORK_CHURN)
		churn_run(&plan);
	else
		run_together(&plan);
	return 0;
}
