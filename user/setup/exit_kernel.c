/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The steps of `hawser exit-setup` that change settings of the kernel, now and for the next boot.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/die.h"
#include "setup/exit_setup_private.h"
#include "setup/system_file.h"

#define SYSCTL_FILE  "/etc/sysctl.d/60-hawser-exit.conf"
#define MODULES_FILE "/etc/modules-load.d/hawser-exit.conf"
#define VALUE_MAX    128

/* For long paths of a gigabit: 1 Gbit/s for 0.13 s. */
#define BUFFER_BYTES 16777216

/* A number as it is, with these bits; or three, of which the last is at least so much. */
static const struct sysctl {
	const char *name;
	unsigned long bits;
	unsigned long last;
} sysctls[] = {
	{"net/mptcp/enabled", 1, 0},
	{"net/ipv4/tcp_fastopen", 2, 0}, /* serve: a router's first bytes come with its SYN */
	{"net/ipv4/tcp_rmem", 0, BUFFER_BYTES},
	{"net/ipv4/tcp_wmem", 0, BUFFER_BYTES},
};
#define SYSCTL_COUNT (sizeof(sysctls) / sizeof(*sysctls))

/* As the kernel prints it, blanks for tabs. False: there is no such setting. */
static bool read_sysctl(const char *name, char value[VALUE_MAX])
{
	char path[128];
	FILE *file;
	bool there;

	snprintf(path, sizeof(path), "/proc/sys/%s", name);
	file = fopen(path, "re");
	there = file && fgets(value, VALUE_MAX, file);
	if (file)
		fclose(file);
	for (char *c = value; there && *c; c++) {
		if (*c == '\t')
			*c = ' ';
		if (*c == '\n')
			*c = '\0';
	}
	return there;
}

static int write_sysctl(const char *name, const char *value)
{
	char path[128];
	FILE *file;
	int err;

	snprintf(path, sizeof(path), "/proc/sys/%s", name);
	file = fopen(path, "we");
	if (!file)
		return -errno;
	err = fputs(value, file) < 0 ? -EIO : 0;
	if (fclose(file))
		err = -errno;
	return err;
}

/* "4096 131072 6291456": the last of three numbers; *at: where it begins. 0: there are not three.
 */
static unsigned long last_of(const char *text, const char **at)
{
	char *end = (char *)text;
	unsigned long number = 0;

	for (int i = 0; i < 3; i++) {
		*at = end + strspn(end, " ");
		number = strtoul(*at, &end, 10);
		if (end == *at)
			return 0;
	}
	return number;
}

/* Fills in what it is and what it shall be. False: there is nothing to change. */
static bool wants_change(const struct sysctl *sysctl, char is[VALUE_MAX], char shall[VALUE_MAX])
{
	const char *last = NULL;
	unsigned long number;

	if (!read_sysctl(sysctl->name, is))
		return false;
	if (sysctl->last) {
		number = last_of(is, &last);
		snprintf(shall, VALUE_MAX, "%.*s%lu", (int)(last - is), is, sysctl->last);
		return number > 0 && number < sysctl->last;
	}
	number = strtoul(is, NULL, 10);
	snprintf(shall, VALUE_MAX, "%lu", number | sysctl->bits);
	return (number & sysctl->bits) != sysctl->bits;
}

static bool sysctl_is_done(struct exit_setup *setup, char text[SETUP_TEXT_MAX])
{
	char names[SETUP_TEXT_MAX - 64] = "";
	char is[VALUE_MAX];
	char shall[VALUE_MAX];

	(void)setup;
	if (!read_sysctl(sysctls[0].name, is))
		die("this kernel has no MPTCP; expected one with CONFIG_MPTCP, as Debian's have "
		    "it");
	for (size_t i = 0; i < SYSCTL_COUNT; i++) {
		const size_t len = strlen(names);

		if (wants_change(&sysctls[i], is, shall))
			snprintf(names + len, sizeof(names) - len, " %s=\"%s\"", sysctls[i].name,
				 shall);
	}
	if (!*names)
		snprintf(text, SETUP_TEXT_MAX,
			 "MPTCP is on, and buffers may grow as far as needed");
	else
		snprintf(text, SETUP_TEXT_MAX, SYSCTL_FILE ":%s", names);
	return !*names;
}

/* The file remembers what it was, for undo. Settings that others have lowered since are raised
 * again, and keep their first "was". */
static char *noted(void)
{
	char *file = system_file_read(SYSCTL_FILE);
	char is[VALUE_MAX];
	char shall[VALUE_MAX];

	for (size_t i = 0; i < SYSCTL_COUNT; i++) {
		char *more = NULL;

		if (!wants_change(&sysctls[i], is, shall) || strstr(file, sysctls[i].name))
			continue;
		if (asprintf(&more, "%s# was %s\n%s = %s\n",
			     *file ? file : "# Made by hawser exit-setup.\n", is, sysctls[i].name,
			     shall) < 0)
			die("out of memory");
		free(file);
		file = more;
	}
	return file;
}

static int sysctl_make(struct exit_setup *setup, char text[SETUP_TEXT_MAX])
{
	char *file = noted();
	int err = system_file_write(SYSCTL_FILE, file, 0644);
	const char *faulty = SYSCTL_FILE;
	char is[VALUE_MAX];
	char shall[VALUE_MAX];

	(void)setup;
	free(file);
	for (size_t i = 0; !err && i < SYSCTL_COUNT; i++) {
		if (!wants_change(&sysctls[i], is, shall))
			continue;
		err = write_sysctl(sysctls[i].name, shall);
		faulty = sysctls[i].name;
	}
	return setup_fail(text, faulty, err);
}

/* Only what is still as we set it. */
static int sysctl_undo(struct exit_setup *setup, char text[SETUP_TEXT_MAX])
{
	char *file = system_file_read(SYSCTL_FILE);
	char was[VALUE_MAX] = "";
	char *rest = file;
	char *line;

	(void)setup;
	system_file_sweep(SYSCTL_FILE);
	if (!*file) {
		free(file);
		return 0;
	}
	while ((line = strsep(&rest, "\n"))) {
		char *equals = strstr(line, " = ");
		char is[VALUE_MAX];

		if (sscanf(line, "# was %127[^\n]", was) == 1 || !equals)
			continue;
		*equals = '\0';
		if (read_sysctl(line, is) && strcmp(is, equals + 3) == 0)
			(void)write_sysctl(line, was);
	}
	free(file);
	snprintf(text, SETUP_TEXT_MAX, SYSCTL_FILE " is removed, settings are as they were");
	return unlink(SYSCTL_FILE) ? setup_fail(text, SYSCTL_FILE, -errno) : 0;
}

static bool has_bbr(void)
{
	char names[VALUE_MAX];

	return read_sysctl("net/ipv4/tcp_available_congestion_control", names) &&
	       strstr(names, "bbr");
}

/* A kernel without the module does as well, only not on links that lose packets. */
static bool bbr_is_done(struct exit_setup *setup, char text[SETUP_TEXT_MAX])
{
	static const char *const words[] = {"modprobe", "--dry-run", "--quiet", "tcp_bbr", NULL};
	char out[8];

	(void)setup;
	if (has_bbr())
		snprintf(text, SETUP_TEXT_MAX, "the kernel has BBR");
	else if (system_run(words, out, sizeof(out)) != 0)
		snprintf(text, SETUP_TEXT_MAX,
			 "this kernel has no BBR: links that lose packets "
			 "are slower");
	else
		snprintf(text, SETUP_TEXT_MAX, MODULES_FILE ": tcp_bbr");
	return !strstr(text, MODULES_FILE);
}

static int bbr_make(struct exit_setup *setup, char text[SETUP_TEXT_MAX])
{
	static const char *const words[] = {"modprobe", "tcp_bbr", NULL};
	char out[8];

	(void)setup;
	(void)system_run(words, out, sizeof(out));
	return setup_fail(
		text, MODULES_FILE,
		system_file_write(MODULES_FILE, "# Made by hawser exit-setup.\ntcp_bbr\n", 0644));
}

static int bbr_undo(struct exit_setup *setup, char text[SETUP_TEXT_MAX])
{
	(void)setup;
	system_file_sweep(MODULES_FILE);
	if (access(MODULES_FILE, F_OK))
		return 0;
	if (unlink(MODULES_FILE))
		return setup_fail(text, MODULES_FILE, -errno);
	snprintf(text, SETUP_TEXT_MAX, MODULES_FILE " is removed");
	return 0;
}

const struct setup_step setup_kernel_steps[] = {
	{"kernel", sysctl_is_done, sysctl_make, sysctl_undo},
	{"congestion", bbr_is_done, bbr_make, bbr_undo},
	{NULL, NULL, NULL, NULL},
};
