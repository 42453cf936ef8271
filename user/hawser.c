/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The CLI: one question to hawserd over its control socket, once or again and again. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sodium.h>

#include "base/address.h"
#include "base/control_socket.h"
#include "base/ifname.h"
#include "cli/control_client.h"
#include "cli/die.h"
#include "cli/run.h"
#include "cli/run_ask.h"
#include "cli/show.h"
#include "cli/top.h"
#include "config/intercept_method.h"
#include "doctor/doctor_private.h"
#include "intercept/intercept.h"
#include "proto/token.h"

#define EXIT_USAGE	2
#define WATCH_DEFAULT_S 1.0
#define WATCH_MIN_S	0.1
#define WATCH_MAX_S	86400.0

struct request;
static int run_intercept(const struct request *request);
static int run_top(const struct request *request);
static int run_doctor(const struct request *request);

static const struct command {
	const char *name;
	void (*show)(struct json_object *answer);
	int (*run)(const struct request *request); /* in place of show; returns the exit code */
	const char *help;
	bool takes_id;
} commands[] = {
	{"status", show_status, NULL,
	 "the daemon, what the kernel offers, listeners, totals, errors", false},
	{"sessions", show_sessions, NULL, "a row for each session", false},
	{"session", show_session, NULL, "one session, and a row for each of its subflows", true},
	{"flows", show_flows, NULL, "two rows for each session: how its bytes are moved, and why",
	 false},
	{"links", show_links, NULL, "a row for each link, and what happened to them", false},
	{"exits", show_exits, NULL, "a row for each exit: whether it answers, and what failed last",
	 false},
	{"top", NULL, run_top, "links, sessions and subflows, full-screen; q quits", false},
	{"doctor", NULL, run_doctor,
	 "checks host, links, exits and HOST:PORT step by step; says what mends them", false},
	{"intercept", NULL, run_intercept,
	 "up, down or show: the rules that bring a LAN's connections", false},
};
#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

enum intercept_action { INTERCEPT_UP, INTERCEPT_DOWN, INTERCEPT_SHOW };
static const char *const intercept_actions[] = {
	[INTERCEPT_UP] = "up", [INTERCEPT_DOWN] = "down", [INTERCEPT_SHOW] = "show", NULL};

struct request {
	const struct command *command;
	enum intercept_action action;	/* of "intercept" */
	struct json_object *lan;	/* array of names; NULL: as hawserd is configured */
	const char *method;		/* the same */
	uint64_t id;			/* of a session */
	struct destination destination; /* of "doctor"; port 0: none */
	const char *path;
	bool json;
	double watch_s; /* 0: once */
	char **words;	/* of "run": its command; NULL: another command */
	bool bypass;	/* of "run" */
};

static void print_usage(FILE *out)
{
	fputs("usage: hawser [--control PATH] [--json] [--watch[=SECONDS]] ", out);
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (commands[i].show)
			fprintf(out, "%s%s%s", i ? "|" : "", commands[i].name,
				commands[i].takes_id ? " ID" : "");
	fputs("\n       hawser [--control PATH] top"
	      "\n       hawser [--control PATH] [--json] doctor [HOST:PORT]"
	      "\n       hawser token new NAME"
	      "\n       hawser [--control PATH] [--lan IFACE[,IFACE]...] [--method "
	      "tproxy|redirect|bpf] "
	      "intercept up\n"
	      "       hawser [--control PATH] run [--bypass] -- COMMAND [ARGUMENT]...\n"
	      "       hawser [--control PATH] [--json] intercept down|show\n",
	      out);
}

/* What is legal follows on a line of its own. */
__attribute__((noreturn, format(printf, 1, 2))) static void die_usage(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	die_complain(format, arguments);
	va_end(arguments);
	print_usage(stderr);
	exit(EXIT_USAGE);
}

static void print_help(const char *default_path)
{
	print_usage(stdout);
	puts("\ncommands:");
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		printf("  %-8s%-10s %s\n", commands[i].name, commands[i].takes_id ? "ID" : "",
		       commands[i].help);
	puts("  token new NAME     print a fresh token, for the token files of exit and router");
	puts("  run COMMAND...     run a command whose TCP connections hawserd takes");
	puts("\noptions:\n"
	     "  --json             print the daemon's answer as it is, one line of JSON\n"
	     "  --watch[=SECONDS]  ask again every second, or every SECONDS, until Ctrl-C\n"
	     "  --lan IFACE,...    of intercept up: take what comes in by these, instead of those\n"
	     "                     that hawserd is configured for\n"
	     "  --method METHOD    of intercept up: tproxy, redirect or bpf, likewise\n"
	     "  --bypass           of run: hawserd takes none of them, whatever is around it\n"
	     "  --help             print this text\n"
	     "  --version          print the version");
	printf("  --control PATH     hawserd's control socket (default: %s)\n", default_path);
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		if (strcmp(name, commands[i].name) == 0)
			return &commands[i];
	}
	die_usage("unknown command \"%s\"", name);
}

/* Asks no daemon: it may be made anywhere. words: what follows "token", NULL-terminated. */
__attribute__((noreturn)) static void make_token(char **words)
{
	char line[TOKEN_LINE_MAX];

	if (!words[0] || strcmp(words[0], "new") != 0)
		die_usage("token %s: not a command for tokens", words[0] ? words[0] : "");
	if (!words[1])
		die_usage("token new: no name");
	if (words[2])
		die_usage("unexpected \"%s\" after the name", words[2]);
	if (!token_is_name(words[1]))
		die_usage("token new \"%s\": not a token's name; legal: 1 to %d of "
			  "A-Z a-z 0-9 . _ -",
			  words[1], TOKEN_NAME_MAX);
	if (sodium_init() < 0)
		die("libsodium: no source of random numbers");
	token_new_line(words[1], line);
	puts(line);
	sodium_memzero(line, sizeof(line));
	if (fflush(stdout) || ferror(stdout))
		die("standard output: %s", strerror(errno));
	exit(EXIT_SUCCESS);
}

static uint64_t parse_id(const char *text)
{
	uint64_t id = strtoull(text, NULL, 10);

	/* json-c has no larger integer that every program reads. */
	if (!*text || text[strspn(text, "0123456789")] || id == 0 || id > INT64_MAX)
		die_usage("%s: not the number of a session; legal: one of those that `hawser "
			  "sessions` shows",
			  text);
	return id;
}

static double parse_seconds(const char *text)
{
	char *end;
	double seconds = strtod(text, &end);

	/* Written so that NaN is refused too. */
	if (end == text || *end != '\0' || !(seconds >= WATCH_MIN_S && seconds <= WATCH_MAX_S))
		die_usage("--watch=%s: not a number of seconds from %g to %g", text, WATCH_MIN_S,
			  WATCH_MAX_S);
	return seconds;
}

static void add_lan(struct request *request, const char *list)
{
	char *copy = strdup(list);
	char *rest = copy;
	const char *name;

	if (!request->lan)
		request->lan = json_object_new_array();
	if (!copy || !request->lan)
		die("out of memory");
	while ((name = strsep(&rest, ","))) {
		if (!ifname_is_legal(name))
			die_usage("--lan %s: \"%s\" is not the name of a network interface, "
				  "legal: " IFNAME_LEGAL,
				  list, name);
		json_object_array_add(request->lan, json_object_new_string(name));
	}
	free(copy);
}

static const char *parse_method(const char *name)
{
	for (int i = 0; intercept_method_words[i]; i++)
		if (strcmp(intercept_method_words[i], name) == 0)
			return name;
	die_usage("--method %s: no such method, legal: tproxy, redirect, bpf", name);
}

/* words[0] is what follows the command. */
static void parse_intercept(struct request *request, int count, char **words)
{
	int action = 0;

	if (count == 0)
		die_usage("intercept: nothing to do, legal: up, down or show");
	while (intercept_actions[action] && strcmp(intercept_actions[action], words[0]) != 0)
		action++;
	if (!intercept_actions[action])
		die_usage("intercept %s: no such action, legal: up, down or show", words[0]);
	if (count > 1)
		die_usage("unexpected \"%s\" after intercept %s", words[1], words[0]);
	request->action = (enum intercept_action)action;
}

/* words: what follows "run", NULL-terminated. */
static void parse_run(struct request *request, char **words)
{
	if (!words[0])
		die_usage("run: no command to run");
	if (request->json || request->watch_s > 0 || request->lan || request->method)
		die_usage("--json, --watch, --lan and --method are not for run");
	request->words = words;
}

static void parse_words(struct request *request, int count, char **words)
{
	int used = 1;

	if (count == 0)
		die_usage("no command");
	if (strcmp(words[0], "run") == 0) {
		parse_run(request, words + 1);
		return;
	}
	if (request->bypass)
		die_usage("--bypass is for run");
	request->command = find_command(words[0]);
	if (request->command->run == run_intercept) {
		parse_intercept(request, count - 1, words + 1);
		used = count;
	}
	if (request->command->takes_id) {
		if (count == 1)
			die_usage("no ID after %s; legal: one of those that `hawser sessions` "
				  "shows",
				  words[0]);
		request->id = parse_id(words[used++]);
	}
	if (request->command->run == run_doctor) {
		if (request->watch_s > 0)
			die_usage("--watch is not for doctor");
		if (count > 1 && destination_parse(words[used++], &request->destination))
			die_usage("doctor %s: not a destination, legal: HOST:PORT, ADDRESS:PORT or "
				  "[ADDRESS6]:PORT",
				  words[1]);
	}
	if (count > used)
		die_usage("unexpected \"%s\" after the command", words[used]);
	if ((request->lan || request->method) &&
	    (request->command->run != run_intercept || request->action != INTERCEPT_UP))
		die_usage("--lan and --method are for intercept up");
	if (request->watch_s > 0 && request->command->run == run_intercept)
		die_usage("--watch is not for intercept");
	if (request->command->run == run_top &&
	    (request->json || !isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)))
		die_usage("%s is for a terminal; legal elsewhere: the other commands", words[0]);
}

static void parse_arguments(int argc, char **argv, const char *default_path, struct request *out)
{
	enum {
		OPTION_CONTROL = 1,
		OPTION_JSON,
		OPTION_WATCH,
		OPTION_LAN,
		OPTION_METHOD,
		OPTION_BYPASS,
		OPTION_HELP,
		OPTION_VERSION
	};
	static const struct option options[] = {
		{"control", required_argument, NULL, OPTION_CONTROL},
		{"json", no_argument, NULL, OPTION_JSON},
		{"watch", optional_argument, NULL, OPTION_WATCH},
		{"lan", required_argument, NULL, OPTION_LAN},
		{"method", required_argument, NULL, OPTION_METHOD},
		{"bypass", no_argument, NULL, OPTION_BYPASS},
		{"help", no_argument, NULL, OPTION_HELP},
		{"version", no_argument, NULL, OPTION_VERSION},
		{NULL, 0, NULL, 0},
	};
	int option;

	*out = (struct request){.path = default_path};
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case OPTION_CONTROL:
			out->path = optarg ? optarg : "";
			break;
		case OPTION_JSON:
			out->json = true;
			break;
		case OPTION_WATCH:
			out->watch_s = optarg ? parse_seconds(optarg) : WATCH_DEFAULT_S;
			break;
		case OPTION_LAN:
			add_lan(out, optarg ? optarg : "");
			break;
		case OPTION_METHOD:
			out->method = parse_method(optarg ? optarg : "");
			break;
		case OPTION_BYPASS:
			out->bypass = true;
			break;
		case OPTION_HELP:
			print_help(default_path);
			exit(EXIT_SUCCESS);
		case OPTION_VERSION:
			puts("hawser " HAWSER_VERSION);
			exit(EXIT_SUCCESS);
		default: /* getopt_long() has said what is wrong */
			print_usage(stderr);
			exit(EXIT_USAGE);
		}
	}
	if (strlen(out->path) > CONNECTION_PATH_MAX)
		die_usage("--control %s: longer than %zu bytes", out->path, CONNECTION_PATH_MAX);
	if (optind < argc && strcmp(argv[optind], "token") == 0)
		make_token(argv + optind + 1);
	parse_words(out, argc - optind, argv + optind);
}

/* Returns the exit code. */
static int run_intercept(const struct request *request)
{
	struct connection connection = {.fd = -1};
	int code;

	if (request->action == INTERCEPT_UP)
		connection_open(&connection, request->path);
	if (request->action == INTERCEPT_UP ||
	    (request->action == INTERCEPT_SHOW && connection_try(&connection, request->path)))
		connection_ask_or_die(&connection, request->command->name, 0);
	switch (request->action) {
	case INTERCEPT_UP:
		code = intercept_up(connection.answer, request->lan, request->method);
		break;
	case INTERCEPT_DOWN:
		code = intercept_down();
		break;
	default:
		code = intercept_show(connection.answer, request->json);
	}
	connection_close(&connection);
	json_object_put(request->lan);
	return code;
}

/* For top, which can do without an answer: a session may have ended. */
static struct json_object *ask_for_top(void *context, const char *command, uint64_t id)
{
	struct connection *connection = context;

	if (connection_ask(connection, command, id))
		return NULL;
	return json_object_get(connection->answer);
}

static int run_top(const struct request *request)
{
	struct connection connection;

	connection_open(&connection, request->path);
	top_run(ask_for_top, &connection,
		request->watch_s > 0 ? request->watch_s : WATCH_DEFAULT_S);
	connection_close(&connection);
	return EXIT_SUCCESS;
}

static int run_doctor(const struct request *request)
{
	return doctor_run(request->path, request->destination.port ? &request->destination : NULL,
			  request->json);
}

static void ask(const struct request *request, struct connection *connection)
{
	connection_ask_or_die(connection, request->command->name, request->id);
	if (request->watch_s > 0 && isatty(STDOUT_FILENO))
		fputs("\033[H\033[2J", stdout);
	if (request->json)
		fwrite(connection->line, 1, connection->len, stdout);
	else
		request->command->show(connection->answer);
	if (fflush(stdout) || ferror(stdout))
		die("standard output: %s", strerror(errno));
}

static void leave_watch(int signal_number)
{
	(void)signal_number;
	_exit(EXIT_SUCCESS);
}

int main(int argc, char **argv)
{
	char default_path[PATH_MAX];
	struct request request;
	struct connection connection;
	struct timespec pause;

	/* `hawser sessions | head` ends in silence, whatever was inherited. */
	signal(SIGPIPE, SIG_DFL);
	/* One write per answer, so that --watch does not flicker. */
	setvbuf(stdout, NULL, _IOFBF, BUFSIZ);
	control_default_path(default_path, sizeof(default_path));
	parse_arguments(argc, argv, default_path, &request);
	if (request.words)
		return run_command(request.words, request.bypass, run_ask, (void *)request.path);
	if (request.command->run)
		return request.command->run(&request);
	if (request.watch_s > 0)
		signal(SIGINT, leave_watch);
	pause.tv_sec = (time_t)request.watch_s;
	pause.tv_nsec = (long)((request.watch_s - (double)pause.tv_sec) * 1e9);

	connection_open(&connection, request.path);
	ask(&request, &connection);
	while (request.watch_s > 0) {
		nanosleep(&pause, NULL);
		ask(&request, &connection);
	}
	connection_close(&connection);
	return EXIT_SUCCESS;
}
