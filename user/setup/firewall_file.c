/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "setup/firewall_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/die.h"
#include "intercept/nft.h"
#include "setup/system_file.h"
#include "setup/text_block.h"

#define CHECKED_FILE   FIREWALL_FILE ".hawser-setup-check"
#define NAME_MAX_BYTES 128
#define PLACE_MAX      384

/* Reads "table inet filter" or "chain input", "chain inet filter input", and before them "add". The
 * table goes on to be that of the chains that follow. True: place is a chain's. */
static bool read_statement(const char *words, char table[PLACE_MAX], char place[PLACE_MAX])
{
	char what[16] = "";
	char name[3][NAME_MAX_BYTES] = {"", "", ""};
	int count;

	if (strncmp(words, "add ", 4) == 0 || strncmp(words, "create ", 7) == 0)
		words = strchr(words, ' ') + 1;
	count = sscanf(words, "%15s %127s %127s %127s", what, name[0], name[1], name[2]);
	if (strcmp(what, "table") == 0 && count >= 2)
		snprintf(table, PLACE_MAX, "%s %s", count == 2 ? "ip" : name[0],
			 name[count == 2 ? 0 : 1]);
	if (strcmp(what, "chain") != 0 || count < 2)
		return false;
	if (count == 2)
		snprintf(place, PLACE_MAX, "%.255s %s", table, name[0]);
	else if (count == 3)
		snprintf(place, PLACE_MAX, "ip %s %s", name[0], name[1]);
	else
		snprintf(place, PLACE_MAX, "%s %s %s", name[0], name[1], name[2]);
	return true;
}

bool firewall_file_has_chain(const char *file, const char *wanted)
{
	char table[PLACE_MAX] = "";
	char place[PLACE_MAX];

	while (*file) {
		char words[512];
		size_t len;

		file += strspn(file, " \t\n;{}");
		if (*file == '#')
			file += strcspn(file, "\n");
		len = strcspn(file, "\n;{}#");
		snprintf(words, sizeof(words), "%.*s", (int)len, file);
		file += len;
		if (read_statement(words, table, place) && strcmp(place, wanted) == 0)
			return true;
	}
	return false;
}

/* Whether nftables would load such a file at boot; beside the true one, for what includes others.
 */
static int check(struct nft *nft, const char *text)
{
	int err;

	/* Of a run that was killed. */
	unlink(CHECKED_FILE);
	err = system_file_write(CHECKED_FILE, text, 0600);
	if (!err && nft_check_file(nft, CHECKED_FILE))
		err = -EBADMSG;
	unlink(CHECKED_FILE);
	return err;
}

/* rule: not in the file yet. */
static int add(struct nft *nft, const char *file, const char *body, const char *rule)
{
	char *more = NULL;
	char *shall;
	int err;

	if (asprintf(&more, "%s%s", body, rule) < 0)
		die("out of memory");
	shall = text_block_set(file, EXIT_SETUP_BLOCK, more);
	if (!shall)
		die("out of memory");
	err = check(nft, shall);
	if (!err)
		err = system_file_write(FIREWALL_FILE, shall, 0755);
	free(shall);
	free(more);
	return err;
}

int firewall_file_keep(struct nft *nft, const char *place, const char *rule,
		       char text[SETUP_TEXT_MAX])
{
	const size_t len = strlen(text);
	char *file = system_file_read(FIREWALL_FILE);
	char *body = text_block_get(file, EXIT_SETUP_BLOCK);
	int err = 0;

	if (!body)
		die("out of memory");
	if (!firewall_file_has_chain(file, place))
		err = -ESRCH;
	else if (!strstr(body, rule))
		err = add(nft, file, body, rule);
	free(body);
	free(file);
	if (err != -ESRCH && err != -EBADMSG)
		return setup_fail(text, FIREWALL_FILE, err);
	snprintf(text + len, SETUP_TEXT_MAX - len,
		 "%s" FIREWALL_FILE
		 " %s: for the next boot, put into your firewall's own file: %.*s",
		 len ? "; " : "",
		 err == -ESRCH ? "does not make the chain" : "cannot be loaded with the rule",
		 (int)strcspn(rule, "\n"), rule);
	return 0;
}

int firewall_file_clear(void)
{
	char *file = system_file_read(FIREWALL_FILE);
	char *rest = text_block_set(file, EXIT_SETUP_BLOCK, NULL);
	int err = rest ? 0 : -ENOMEM;

	system_file_sweep(FIREWALL_FILE);
	system_file_sweep(CHECKED_FILE);
	unlink(CHECKED_FILE);
	if (rest && strcmp(file, rest) != 0)
		err = system_file_write(FIREWALL_FILE, rest, 0755);
	free(rest);
	free(file);
	return err;
}
