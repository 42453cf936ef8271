/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Answers of every length, and those that are none. */
#include "base/control_ask.h"

#include <json-c/json.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[] = "/tmp/control-ask.XXXXXX";
static struct sockaddr_un at = {.sun_family = AF_UNIX};
static size_t answer_bytes; /* of the text in it */
static bool ends_with_newline;

static void *serve(void *arg)
{
	const int listening = *(int *)arg;
	const int fd = accept(listening, NULL, NULL);
	char question[64];
	char *text = malloc(answer_bytes + 1);

	memset(text, 'x', answer_bytes);
	text[answer_bytes] = '\0';
	if (recv(fd, question, sizeof(question), 0) > 0)
		dprintf(fd, "{\"text\":\"%s\"}%s", text, ends_with_newline ? "\n" : "");
	free(text);
	close(fd);
	return NULL;
}

/* The length of the text that came; SIZE_MAX: nothing did. */
static size_t ask(size_t bytes, bool newline)
{
	int listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct json_object *answer;
	size_t came = SIZE_MAX;
	pthread_t thread;

	answer_bytes = bytes;
	ends_with_newline = newline;
	unlink(at.sun_path);
	assert_int_equal(bind(listening, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(listening, 1), 0);
	assert_int_equal(pthread_create(&thread, NULL, serve, &listening), 0);
	answer = control_ask(at.sun_path, "{}\n");
	pthread_join(thread, NULL);
	if (answer)
		came = strlen(json_object_get_string(json_object_object_get(answer, "text")));
	json_object_put(answer);
	close(listening);
	return came;
}

static void of_every_length(void **state)
{
	static const size_t lengths[] = {0, 1, 4000, 4083, 4084, 4085, 65536, 200000, 1000000};

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++)
		assert_int_equal(ask(lengths[i], true), lengths[i]);
}

static void without_an_end_it_is_none(void **state)
{
	(void)state;
	assert_int_equal(ask(10, false), SIZE_MAX);
	assert_int_equal(ask(200000, false), SIZE_MAX);
}

static void one_without_bounds_is_none(void **state)
{
	(void)state;
	assert_int_equal(ask((size_t)5 * 1024 * 1024, true), SIZE_MAX);
}

static void nobody_is_there(void **state)
{
	(void)state;
	unlink(at.sun_path);
	assert_null(control_ask(at.sun_path, "{}\n"));
}

static int begin(void **state)
{
	(void)state;
	if (!mkdtemp(directory))
		return -1;
	snprintf(at.sun_path, sizeof(at.sun_path), "%s/socket", directory);
	return 0;
}

static int end(void **state)
{
	(void)state;
	unlink(at.sun_path);
	return rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_every_length),
		cmocka_unit_test(without_an_end_it_is_none),
		cmocka_unit_test(one_without_bounds_is_none),
		cmocka_unit_test(nobody_is_there),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, begin, end);
}
