/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of settings against what is written of it: man pages and --help. */
#include "config_fixture.h"

#include <limits.h>

#include "base/text_file.h"
#include "config/settings.h"

#define PAGE_MAX_BYTES 1000000

/* A man page of the source tree that this program was built in. */
static char *read_page(const char *name)
{
	char path[PATH_MAX];
	const ssize_t size = readlink("/proc/self/exe", path, sizeof(path) - 64);
	char *page = NULL;
	size_t len;

	assert_true(size > 0);
	path[size] = '\0';
	for (char *slash; !page && (slash = strrchr(path, '/'));) {
		snprintf(slash, 64, "/man/%s", name);
		page = text_file_read(path, PAGE_MAX_BYTES, &len);
		*slash = '\0';
	}
	assert_non_null(page);
	return page;
}

/* From this heading to the next one. */
static char *cut_section(const char *page, const char *first)
{
	const char *at = strstr(page, first);
	const char *end = at;

	if (!at) {
		fail_msg("no %s", first);
		return NULL;
	}
	do
		end = strstr(end + 1, "\n.S");
	while (end && end[3] != 's' && end[3] != 'h');
	return strndup(at, end ? (size_t)(end - at) : strlen(at));
}

/* "tier No = Cm auto | copy", as mdoc writes a setting and its words. */
static void write_item(const struct setting *setting, char *out, size_t size)
{
	const char *const *words = setting->limits.words;
	size_t used = (size_t)snprintf(out, size, " Cm %s No = ", setting->name);

	for (size_t i = 0; words && words[i] && used < size; i++)
		used += (size_t)snprintf(out + used, size - used, "%s %s", i ? " |" : "Cm",
					 words[i]);
}

static void test_settings_in_manual(void **state)
{
	char *page = read_page("hawser.conf.5");
	char text[128];

	(void)state;
	for (size_t i = 0; i < settings_count; i++) {
		const struct setting *setting = &settings[i];
		char *section;

		if (!setting->name)
			continue;
		snprintf(text, sizeof(text), "\n.Ss %s%s\n", section_name(setting->section),
			 section_has_name(setting->section) ? " Qq NAME" : "");
		section = cut_section(page, text);
		write_item(setting, text, sizeof(text));
		if (!strstr(section, text))
			fail_msg("hawser.conf(5), %s: no \"%s\"", section_name(setting->section),
				 text);
		free(section);
	}
	free(page);
}

static bool is_setting(const char *name, size_t len)
{
	for (size_t i = 0; i < settings_count; i++)
		if (settings[i].name && strlen(settings[i].name) == len &&
		    memcmp(settings[i].name, name, len) == 0)
			return true;
	return false;
}

/* Nothing is explained that is not there. */
static void test_manual_in_settings(void **state)
{
	static const char item[] = "\n.It Cm ";
	char *page = read_page("hawser.conf.5");
	char *daemon = strstr(page, "\n.Ss daemon");
	size_t count = 0;

	(void)state;
	assert_non_null(daemon);
	for (const char *at = daemon; (at = strstr(at, item)); count++) {
		at += strlen(item);
		/* A token's limits stand in a list of their own. */
		if (strncmp(at + strcspn(at, " "), " No = ", 6) == 0 &&
		    !is_setting(at, strcspn(at, " ")))
			fail_msg("hawser.conf(5): \"%.40s\" is no setting", at);
	}
	assert_true(count > 50);
	free(page);
}

static bool has_word(const char *text, const char *before, const char *word)
{
	const size_t before_len = strlen(before);

	for (const char *at = text; (at = strstr(at, before)); at += before_len)
		if (strncmp(at + before_len, word, strlen(word)) == 0 &&
		    strchr(" \n", at[before_len + strlen(word)]))
			return true;
	return false;
}

static void test_options_in_manual(void **state)
{
	char *page = read_page("hawserd.8");
	char *synopsis = cut_section(page, "\n.Sh SYNOPSIS\n");
	char *options = cut_section(page, "\n.Sh OPTIONS\n");

	(void)state;
	for (size_t i = 0; i < settings_count; i++) {
		const char *option = settings[i].option;

		if (!option)
			continue;
		if (!has_word(synopsis, "Fl ", option + 1) && settings[i].act != OPTION_FILE)
			fail_msg("hawserd(8), SYNOPSIS: no %s", option);
		if (!has_word(options, "Fl ", option + 1))
			fail_msg("hawserd(8), OPTIONS: no %s", option);
		assert_non_null(settings[i].help);
		/* One line of a terminal, and a verb or noun, no sentence. */
		assert_in_range(strlen(settings[i].help), 8, 60);
		assert_int_not_equal(settings[i].help[strlen(settings[i].help) - 1], '.');
	}
	free(options);
	free(synopsis);
	free(page);
}

/* Each row says how it is stored, and no two mean the same. */
static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < settings_count; i++) {
		const struct setting *a = &settings[i];

		assert_true(a->name || a->option);
		assert_int_equal(a->name != NULL, a->section != SECTION_NONE && a->parse != NULL);
		assert_true(a->size == 0 || a->repeats);
		assert_true(!a->required || a->argument);
		assert_true(a->repeats || a->name || a->section == SECTION_NONE);
		for (size_t j = 0; j < i; j++) {
			const struct setting *b = &settings[j];

			assert_true(!a->option || !b->option || strcmp(a->option, b->option) != 0);
			assert_true(a->section != b->section || !a->name || !b->name ||
				    strcmp(a->name, b->name) != 0);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_settings_in_manual),
		cmocka_unit_test(test_manual_in_settings),
		cmocka_unit_test(test_options_in_manual),
		cmocka_unit_test(test_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
