/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `hawser exit-setup`: makes this machine an exit, step by step, and prints what the router is to
 * be told. A step that is done is left alone. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "auth/egress_policy.h"
#include "cli/die.h"
#include "config/config.h"
#include "config/options.h"
#include "doctor/doctor.h"
#include "setup/commands.h"
#include "setup/exit_setup_private.h"
#include "setup/system_file.h"

/* Root trusts it: it must not lie where the user of hawserd writes. */
#define RECORD_FILE "/etc/hawser/exit-setup.done"
#define TOKENS_FILE "/etc/hawser/tokens"
#define STEPS_MAX   8

/* The one that this host uses to reach the internet; nothing is sent. False: there is none. */
static bool find_own(int family, union address *out)
{
	/* Of public networks that any default route leads to. */
	const char *far = family == AF_INET ? "192.0.2.1:9" : "[2001:db8::1]:9";
	const int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	union address to;
	socklen_t len = sizeof(*out);
	bool found = false;

	if (fd >= 0 && address_parse(far, &to) == 0)
		found = connect(fd, &to.sa, address_length(&to)) == 0 &&
			getsockname(fd, &out->sa, &len) == 0;
	if (fd >= 0)
		close(fd);
	return found;
}

/* IPv4 first; routers use both. One behind a provider's NAT is of no use there. */
static bool find_public(struct exit_place *out)
{
	union address own[IP_FAMILIES] = {0};
	bool has[IP_FAMILIES];

	has[IP_V4] = find_own(AF_INET, &own[IP_V4]) && !egress_is_special(&own[IP_V4]);
	has[IP_V6] = find_own(AF_INET6, &own[IP_V6]) && !egress_is_special(&own[IP_V6]);
	if (has[IP_V4] && has[IP_V6])
		out->also = own[IP_V6];
	out->destination.address = own[has[IP_V4] ? IP_V4 : IP_V6];
	return has[IP_V4] || has[IP_V6];
}

static void find_address(struct exit_setup *setup, const char *given)
{
	struct exit_place *to = &setup->line.place;
	const uint16_t port = to->destination.port;
	char known[RECORD_VALUE_MAX];
	char text[ADDRESS_TEXT_MAX];
	union address own4;

	if (!given && record_get(&setup->record, "address", known))
		given = known;
	if (given) {
		if (exit_place_from_host(to, given, strlen(given), port))
			die_usage("exit-setup", "--address %s: expected " EXIT_PLACE_EXPECTED,
				  given);
		return;
	}
	if (find_public(to)) {
		address_set_port(&to->destination.address, port);
		address_set_port(&to->also, port);
	} else if (find_own(AF_INET, &own4)) {
		die("this machine has only the private address %s, behind its provider's NAT: give "
		    "the public one with --address HOST",
		    address_format_ip(&own4, text));
	} else {
		die("this machine has no route to the internet; give its address with --address "
		    "HOST");
	}
}

/* A host's name may have what an exit's cannot. */
static void find_name(struct exit_setup *setup, const char *given)
{
	char *name = setup->line.name;

	if (given) {
		if (!exit_is_name(given))
			die_usage("exit-setup", "--name %s: expected " EXIT_NAME_EXPECTED, given);
		snprintf(name, sizeof(setup->line.name), "%s", given);
		return;
	}
	if (gethostname(name, sizeof(setup->line.name) - 1))
		*name = '\0';
	name[strcspn(name, ".")] = '\0';
	if (!exit_is_name(name) || strcmp(name, "localhost") == 0)
		snprintf(name, sizeof(setup->line.name), "exit");
}

static void find_port(struct exit_setup *setup, const char *given)
{
	char known[RECORD_VALUE_MAX];
	char *end = NULL;
	unsigned long port = EXIT_PORT_DEFAULT;

	if (given) {
		port = strtoul(given, &end, 10);
		if (*end || end == given || port == 0 || port > 65535)
			die_usage("exit-setup", "--port %s: expected 1 to 65535", given);
	}
	if (record_get(&setup->record, "port", known)) {
		if (given && port != strtoul(known, NULL, 10))
			die("this exit has been set up on port %s: run 'hawser exit-setup --undo' "
			    "first",
			    known);
		port = strtoul(known, NULL, 10);
	}
	setup->line.place.destination.port = (uint16_t)port;
}

/* Undo is for the file that was changed, whatever hawserd reads now. */
static void find_file(struct exit_setup *setup, bool is_undo)
{
	char known[RECORD_VALUE_MAX];
	const bool is_known = record_get(&setup->record, "file", known);
	char silence[SETUP_TEXT_MAX];
	bool answers;

	if (is_undo) {
		snprintf(setup->file, sizeof(setup->file), "%s", known);
		return;
	}
	answers = setup_find_file(setup->control, setup->file, silence);
	if (*silence)
		die("%s", silence);
	if (!*setup->file)
		die("hawserd runs without a configuration file: start it without options, so that "
		    "it reads " CONFIG_FILE_DEFAULT ", or stop it");
	setup_refuse_made(setup->file, answers);
	if (is_known && answers && strcmp(known, setup->file) != 0)
		die("this exit has been set up in %s, and hawserd reads %s: run 'hawser "
		    "exit-setup --undo' first",
		    known, setup->file);
	if (is_known)
		snprintf(setup->file, sizeof(setup->file), "%s", known);
}

static size_t collect(const struct setup_step *out[STEPS_MAX])
{
	size_t count = 0;

	for (const struct setup_step *step = setup_kernel_steps; step->name; step++)
		out[count++] = step;
	for (const struct setup_step *step = setup_file_steps; step->name; step++)
		out[count++] = step;
	out[count++] = &setup_firewall_step;
	out[count++] = &setup_service_step;
	return count;
}

static void say(const char *how, const struct setup_step *step, const char *text)
{
	printf("  %-5s  %-13s  %s\n", how, step->name, text);
	flush_or_die();
}

/* Between steps all is noted; Ctrl-C waits until then. */
static void hold_signals(int how)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(how, &set, NULL);
}

static int step_make(const struct setup_step *step, struct exit_setup *setup,
		     char text[SETUP_TEXT_MAX])
{
	int err;

	hold_signals(SIG_BLOCK);
	err = step->make(setup, text);
	hold_signals(SIG_UNBLOCK);
	return err;
}

/* Returns whether all is done. */
static bool make(struct exit_setup *setup, bool dry_run)
{
	const struct setup_step *steps[STEPS_MAX];
	const size_t count = collect(steps);

	for (size_t i = 0; i < count; i++) {
		char text[SETUP_TEXT_MAX] = "";
		char note[SETUP_TEXT_MAX] = "";
		const bool by_hand_before = *setup->by_hand;
		const bool done = steps[i]->is_done(setup, text);
		const bool by_hand = *setup->by_hand && !by_hand_before;

		if (!done && !dry_run && step_make(steps[i], setup, note)) {
			say("fail", steps[i], note);
			return false;
		}
		say(done ? by_hand ? "hand" : "ok" : dry_run ? "would" : "done", steps[i], text);
		if (*note && !done && !dry_run)
			printf("         %-13s  %s\n", "", note);
	}
	return true;
}

/* It was there for hawserd to read. */
static int remove_empty_file(struct exit_setup *setup)
{
	if (!setup->file_is_empty)
		return 0;
	return unlink(setup->file) && errno != ENOENT ? -errno : setup_forget_file(setup);
}

static int undo(struct exit_setup *setup, bool dry_run)
{
	static const char *const last[] = {"file", "port", "address"};
	const struct setup_step *steps[STEPS_MAX];
	int status = EXIT_SUCCESS;
	int err;

	if (dry_run)
		die_usage("exit-setup", "--dry-run and --undo do not go together");
	hold_signals(SIG_BLOCK);
	system_file_sweep(RECORD_FILE);
	for (size_t i = collect(steps); i-- > 0;) {
		char text[SETUP_TEXT_MAX] = "";

		err = steps[i]->undo(setup, text);
		if (err)
			status = EXIT_FAILURE;
		say(err	    ? "fail"
		    : *text ? "done"
			    : "ok",
		    steps[i], *text ? text : "nothing of exit-setup's");
	}
	if (setup->reload_due) {
		char text[SETUP_TEXT_MAX] = "";

		err = setup_reload(setup->control, text);
		if (err && err != -ESRCH) {
			printf("%s\n", text);
			status = EXIT_FAILURE;
		}
	}
	err = remove_empty_file(setup);
	if (err) {
		printf("%s cannot be removed: %s\n", setup->file, strerror(-err));
		status = EXIT_FAILURE;
	}
	if (status == EXIT_SUCCESS) {
		for (size_t i = 0; i < sizeof(last) / sizeof(*last); i++)
			(void)record_set(&setup->record, last[i], NULL);
	}
	hold_signals(SIG_UNBLOCK);
	return status;
}

/* From here it cannot be seen what a provider's firewall drops, and through its NAT perhaps
 * nothing. */
static void test(const struct exit_setup *setup)
{
	struct token token;
	char error[TOKEN_ERROR_MAX];

	if (token_parse(setup->line.token, &token, error))
		die("the token %s", error);
	puts("\nFrom this machine itself:");
	if (!doctor_test_exit(setup->control, setup->line.name, &setup->line.place, &token))
		puts("Behind a NAT that may be so, and the router's own check counts.");
	sodium_memzero(&token, sizeof(token));
	if (*setup->by_hand)
		printf("This machine's own firewall must let routers in, too:\n\n%s\n\n",
		       setup->by_hand);
	printf("A firewall of the provider, outside of this machine, must let TCP port %u in.\n",
	       setup->line.place.destination.port);
}

static int set_up(struct exit_setup *setup, const struct arguments *arguments, bool dry_run)
{
	char line[EXIT_LINE_MAX];
	char port[16];
	int err = 0;

	find_address(setup, arguments->option[CLI_ADDRESS]);
	snprintf(port, sizeof(port), "%u", setup->line.place.destination.port);
	if (!dry_run)
		err = record_set(&setup->record, "port", port);
	if (!dry_run && !err && arguments->option[CLI_ADDRESS])
		err = record_set(&setup->record, "address", arguments->option[CLI_ADDRESS]);
	if (err)
		die("%s: %s", RECORD_FILE, strerror(-err));
	if (!make(setup, dry_run)) {
		hold_signals(SIG_BLOCK);
		(void)remove_empty_file(setup);
		hold_signals(SIG_UNBLOCK);
		return EXIT_FAILURE;
	}
	if (dry_run)
		return EXIT_SUCCESS;
	test(setup);
	printf("\nOn the router, as root:\n\nhawser exit-add %s\n",
	       exit_line_format(&setup->line, line));
	sodium_memzero(line, sizeof(line));
	return EXIT_SUCCESS;
}

int exit_setup_main(const struct command *command, int argc, char **argv)
{
	static const struct usage usage = {
		.options = CLI_TAKES(CLI_CONTROL) | CLI_TAKES(CLI_DRY_RUN) | CLI_TAKES(CLI_UNDO) |
			   CLI_TAKES(CLI_NAME) | CLI_TAKES(CLI_ADDRESS) | CLI_TAKES(CLI_PORT),
		.words = ""};
	struct exit_setup setup = {.record = {.path = RECORD_FILE}, .tokens = TOKENS_FILE};
	struct arguments arguments;
	bool dry_run;
	int status;

	/* Each file says itself who may read it. */
	umask(022);
	arguments_parse(&arguments, command, argc, argv, &usage);
	if (geteuid() != 0)
		die("exit-setup changes this machine: run it as root");
	if (sodium_init() < 0)
		die("libsodium finds no source of random numbers");
	dry_run = arguments.option[CLI_DRY_RUN] != NULL;
	setup.control = arguments.control;
	if (!dry_run)
		system_lock();
	find_file(&setup, arguments.option[CLI_UNDO] != NULL);
	find_port(&setup, arguments.option[CLI_PORT]);
	find_name(&setup, arguments.option[CLI_NAME]);
	status = arguments.option[CLI_UNDO] ? undo(&setup, dry_run)
					    : set_up(&setup, &arguments, dry_run);
	sodium_memzero(&setup.line, sizeof(setup.line));
	record_free(&setup.record);
	flush_or_die();
	return status;
}
