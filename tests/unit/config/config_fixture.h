/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For tests of the configuration: files to read, command lines to load, the log they leave. */
#ifndef HAWSER_CONFIG_FIXTURE_H
#define HAWSER_CONFIG_FIXTURE_H

/* cmocka.h needs these four before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/config.h"
#include "config/config_load.h"
#include "config/options.h"

#define ARGS_MAX 32

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)

static char fixture_dir[64];
static char fixture_conf[96];
static char fixture_password[96];
static char fixture_log[16384];

static inline void write_bytes(const char *path, const void *bytes, size_t len)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, 0600), 0);
}

static inline void write_conf(const char *text)
{
	write_bytes(fixture_conf, text, strlen(text));
}

static inline int fixture_setup(void **state)
{
	(void)state;
	snprintf(fixture_dir, sizeof(fixture_dir), "/tmp/hawser-config-XXXXXX");
	assert_non_null(mkdtemp(fixture_dir));
	snprintf(fixture_conf, sizeof(fixture_conf), "%s/conf", fixture_dir);
	snprintf(fixture_password, sizeof(fixture_password), "%s/password", fixture_dir);
	write_bytes(fixture_password, "secret\n", 7);
	return 0;
}

static inline int fixture_teardown(void **state)
{
	(void)state;
	unlink(fixture_conf);
	unlink(fixture_password);
	return rmdir(fixture_dir);
}

/* Standard error goes to the returned memfd until log_restore(). */
static inline int log_capture(int *saved)
{
	int fd = memfd_create("log", MFD_CLOEXEC);

	assert_true(fd >= 0);
	*saved = dup(STDERR_FILENO);
	assert_true(*saved >= 0);
	assert_true(dup2(fd, STDERR_FILENO) >= 0);
	return fd;
}

/* Leaves what was logged in fixture_log. */
static inline void log_restore(int fd, int saved)
{
	ssize_t len;

	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	close(saved);
	len = pread(fd, fixture_log, sizeof(fixture_log) - 1, 0);
	assert_true(len >= 0);
	fixture_log[len] = '\0';
	close(fd);
}

/* hawserd's arguments, NULL-terminated; options_free() the result. */
static inline const struct options *parse_args(const char *const *args)
{
	static char *argv[ARGS_MAX + 2];
	int argc = 0;

	argv[argc++] = (char *)"hawserd";
	for (; *args; args++) {
		assert_true(argc < ARGS_MAX);
		argv[argc++] = (char *)*args;
	}
	argv[argc] = NULL;
	return options_parse(argc, argv);
}

static inline struct config *load_args(const char *const *args)
{
	const struct options *options = parse_args(args);
	struct config *config;
	int saved;
	int fd = log_capture(&saved);

	config = config_load(options);
	log_restore(fd, saved);
	options_free(options);
	return config;
}

#define load(...) load_args((const char *const[]){__VA_ARGS__, NULL})

/* Of a file with this text alone. */
static inline struct config *load_text(const char *text)
{
	write_conf(text);
	return load("-c", fixture_conf);
}

/* Every section and option; %s is the password file. */
static const char full_file[] =
	"# comment with } and \"\n"
	"daemon   { workers = 3  control = \"/run/hawser/t.sock\"  log-level = \"debug\"\n"
	"  state-dir = /etc/hawser/state }\n"
	"listen \"lan\"  { address = \"192.168.1.1:1080\" } // slashes\n"
	"listen \"mail\" { address = '[::1]:2525'\n\tto = \"mail.example.org:25\" }\r\n"
	"access   { allow = { \"192.168.1.0/24\", fd00::/8, } }\n"
	"/* block { */ user \"alice\" { password-file = \"%s\" }\n"
	"upstream { mptcp = on  congestion = \"reno\"\n"
	"           tcp-only-expiry = 2.5  tcp-only-retry = 7\n"
	"           links = auto }\n"
	"link \"dsl\" { device = ppp0  role = primary  weight = 3\n"
	"             gateway = { \"192.0.2.1\", fe80::1 }\n"
	"             probe = { \"198.51.100.1\", \"2001:db8::1\" }  demote = no }\n"
	"link lte { device = \"wwan0\"  probe = off  role = metered  quota = 50G  reset-day = 15\n"
	"  rate-down = 300M  rate-up = 64001 }\n"
	"relay    { tier = \"copy\" }\n"
	"timeouts { handshake = 1  resolve = 2.5  connect = 3  idle = 0.1  half-closed = 604800\n"
	"           drain = 6 }";

static inline char *full_text(void)
{
	char *text;

	assert_true(asprintf(&text, full_file, fixture_password) > 0);
	return text;
}

static inline void assert_contains(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" not in \"%s\"", part, text);
}

static inline void assert_one_line(const char *text)
{
	const char *end = strchr(text, '\n');

	if (!end || end[1])
		fail_msg("not one line: \"%s\"", text);
}

static inline union address address_of(const char *text)
{
	union address address;

	assert_int_equal(address_parse(text, &address), 0);
	return address;
}

static inline void assert_allows(const struct config *config, const char *client, bool allowed)
{
	union address address = address_of(client);

	assert_int_equal(config_access(config, &address) == ACCESS_OPEN, allowed);
}

#endif
