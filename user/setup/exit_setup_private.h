/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the steps of `hawser exit-setup` share. */
#ifndef HAWSER_SETUP_EXIT_SETUP_PRIVATE_H
#define HAWSER_SETUP_EXIT_SETUP_PRIVATE_H

#include <limits.h>
#include <stdbool.h>

#include "proto/exit_line.h"
#include "setup/record.h"

#define SETUP_TEXT_MAX	 (PATH_MAX + 512)
#define EXIT_SETUP_BLOCK "exit-setup"

struct exit_setup {
	const char *control;
	char file[PATH_MAX];   /* hawserd's configuration */
	char tokens[PATH_MAX]; /* its token file */
	struct exit_line line; /* what the router is to be told; token "": there is none yet */
	struct record record;
	char by_hand[160];  /* a command that the administrator is to give; "": none */
	bool file_is_empty; /* and was not there before; to be removed once hawserd has read it */
	bool reload_due;    /* hawserd has not seen all that was changed */
};

/* All of these write what there is to say, without a newline. */
struct setup_step {
	const char *name;
	/* Whether nothing is to be done; text: how it is, or what is to be done. */
	bool (*is_done)(struct exit_setup *setup, char text[SETUP_TEXT_MAX]);
	/* 0; or -errno, with what went wrong and what mends it. */
	int (*make)(struct exit_setup *setup, char text[SETUP_TEXT_MAX]);
	/* Takes back what make() has done, and nothing else; text "": there was nothing. */
	int (*undo)(struct exit_setup *setup, char text[SETUP_TEXT_MAX]);
};

/* Names end the tables. */
extern const struct setup_step setup_kernel_steps[]; /* settings, congestion control */
extern const struct setup_step setup_file_steps[];   /* token, configuration */
extern const struct setup_step setup_firewall_step;
extern const struct setup_step setup_service_step;

/* Returns err, with the file that it is about if it is one. */
int setup_fail(char text[SETUP_TEXT_MAX], const char *path, int err);

/* The configuration that a running hawserd reads when it is reloaded; the default where none runs.
 * "" if it runs without one. out holds PATH_MAX. Returns whether hawserd answers; silence: "", or
 * that one is there and does not. */
bool setup_find_file(const char *control, char *out, char silence[SETUP_TEXT_MAX]);

/* Ends the program where a change of the file would be lost: OpenWrt makes it of another one.
 * answers: a hawserd that reads the file. */
void setup_refuse_made(const char *file, bool answers);

/* Whether hawserd could be started with the file; what is wrong is said on standard error. */
bool setup_is_valid(const char *file);

/* text "": the file was not there. */
void setup_put_back(const char *path, const char *text);

/* Of the step that makes it; where file_is_empty is set, the file is still to be removed and
 * forgotten. */
int setup_undo_configuration(struct exit_setup *setup, char text[SETUP_TEXT_MAX]);

/* It is as it was. 0 or -errno. */
int setup_forget_file(struct exit_setup *setup);

/* Has a running hawserd read its configuration. 0; -ESRCH where none is, or one that drains;
 * -ETIMEDOUT where it does not answer and may do so later; -EINVAL if it does not take it. text:
 * why not. */
int setup_reload(const char *control, char text[SETUP_TEXT_MAX]);

#endif
