/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The two text forms, to the byte, and which one a client gets. */
#include "web/exposition.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/histogram.h"

static void fill(struct exposition *out)
{
	exposition_family(out, METRIC_INFO, "x_build", "What it is.");
	exposition_count(out, 1, "version", "1\"2\\3\n4", NULL);
	exposition_family(out, METRIC_COUNTER, "x_bytes", "All.");
	exposition_count(out, UINT64_MAX, NULL);
	exposition_family(out, METRIC_GAUGE, "x_rtt_seconds", "Now.");
	exposition_value(out, 0.1, "link", "a", "state", "b", NULL);
	exposition_value(out, 1e-7, NULL);
}

static void text_form(void **state)
{
	struct exposition out = {.form = EXPOSITION_TEXT};

	(void)state;
	fill(&out);
	assert_true(exposition_end(&out));
	assert_string_equal(out.text, "# HELP x_build_info What it is.\n"
				      "# TYPE x_build_info gauge\n"
				      "x_build_info{version=\"1\\\"2\\\\3\\n4\"} 1\n"
				      "# HELP x_bytes_total All.\n"
				      "# TYPE x_bytes_total counter\n"
				      "x_bytes_total 18446744073709551615\n"
				      "# HELP x_rtt_seconds Now.\n"
				      "# TYPE x_rtt_seconds gauge\n"
				      "x_rtt_seconds{link=\"a\",state=\"b\"} 0.1\n"
				      "x_rtt_seconds 1e-07\n");
	assert_int_equal(out.len, strlen(out.text));
	free(out.text);
}

static void openmetrics_form(void **state)
{
	struct exposition out = {.form = EXPOSITION_OPENMETRICS};

	(void)state;
	fill(&out);
	assert_true(exposition_end(&out));
	assert_string_equal(out.text, "# HELP x_build What it is.\n"
				      "# TYPE x_build info\n"
				      "x_build_info{version=\"1\\\"2\\\\3\\n4\"} 1\n"
				      "# HELP x_bytes All.\n"
				      "# TYPE x_bytes counter\n"
				      "x_bytes_total 18446744073709551615\n"
				      "# HELP x_rtt_seconds Now.\n"
				      "# TYPE x_rtt_seconds gauge\n"
				      "x_rtt_seconds{link=\"a\",state=\"b\"} 0.1\n"
				      "x_rtt_seconds 1e-07\n"
				      "# EOF\n");
	free(out.text);
}

static void assert_line(const char *text, const char *line)
{
	const char *at = strstr(text, line);

	if (!at)
		fail_msg("no %s in:\n%s", line, text);
}

static void histogram(void **state)
{
	struct histogram times = {0};

	(void)state;
	histogram_add(&times, 0.002);
	histogram_add(&times, 0.5);
	histogram_add(&times, 99);
	for (enum exposition_form form = EXPOSITION_TEXT; form <= EXPOSITION_OPENMETRICS; form++) {
		struct exposition out = {.form = form};

		exposition_family(&out, METRIC_HISTOGRAM, "x_seconds", "Times.");
		exposition_histogram(&out, &times, "via", "exit");
		exposition_histogram(&out, &times, NULL, NULL);
		assert_true(exposition_end(&out));
		assert_line(out.text, "x_seconds_bucket{via=\"exit\",le=\"0.001\"} 0\n");
		assert_line(out.text, "x_seconds_bucket{via=\"exit\",le=\"0.0025\"} 1\n");
		assert_line(out.text, "x_seconds_bucket{via=\"exit\",le=\"30.0\"} 2\n");
		assert_line(out.text, "x_seconds_bucket{via=\"exit\",le=\"+Inf\"} 3\n"
				      "x_seconds_count{via=\"exit\"} 3\n"
				      "x_seconds_sum{via=\"exit\"} 99.502\n");
		assert_line(out.text, "x_seconds_bucket{le=\"+Inf\"} 3\n"
				      "x_seconds_count 3\n"
				      "x_seconds_sum 99.502\n");
		free(out.text);
	}
}

/* A scraper refuses all for one byte that is no UTF-8. */
static void labels_are_utf8(void **state)
{
	static const char *const texts[][2] = {
		{"m\xc3\xbcller", "m\xc3\xbcller"},
		{"\xe2\x82\xac \xf0\x9f\x9b\xb0", "\xe2\x82\xac \xf0\x9f\x9b\xb0"},
		{"\xff", "?"},
		{"a\xc3", "a?"},
		{"\xc3(", "?("},
		{"\xc0\xaf", "??"},	      /* overlong */
		{"\xed\xa0\x80", "???"},      /* surrogate */
		{"\xf4\x90\x80\x80", "????"}, /* beyond U+10FFFF */
		{"\xe2\x82", "??"},
		/* No character begins so, though read as four bytes they make one. */
		{"\xf8\x90\x80\x80", "????"},
		{"\xfc\x90\x80\x80", "????"},
		{"\xff\x90\x80\x80", "????"},
		{"", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct exposition out = {.form = EXPOSITION_TEXT};
		char line[64];

		exposition_family(&out, METRIC_GAUGE, "x", "X.");
		exposition_count(&out, 1, "l", texts[i][0], NULL);
		assert_true(exposition_end(&out));
		snprintf(line, sizeof(line), "x{l=\"%s\"} 1\n", texts[i][1]);
		assert_line(out.text, line);
		free(out.text);
	}
}

static void grows(void **state)
{
	struct exposition out = {.form = EXPOSITION_TEXT};
	char name[5000];

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	exposition_family(&out, METRIC_GAUGE, "x", "X.");
	for (int i = 0; i < 100; i++)
		exposition_count(&out, 1, "l", name, NULL);
	assert_true(exposition_end(&out));
	assert_int_equal(out.len, strlen(out.text));
	assert_int_equal(out.len, strlen("# HELP x X.\n# TYPE x gauge\n") +
					  100 * (sizeof(name) - 1 + strlen("x{l=\"\"} 1\n")));
	free(out.text);
}

static void choice(void **state)
{
	static const struct {
		const char *accept;
		enum exposition_form form;
	} cases[] = {
		{NULL, EXPOSITION_TEXT},
		{"", EXPOSITION_TEXT},
		{"*/*", EXPOSITION_TEXT},
		{"text/plain", EXPOSITION_TEXT},
		{"text/html,application/xhtml+xml,*/*;q=0.8", EXPOSITION_TEXT},
		/* Of Prometheus 2.42. */
		{"application/openmetrics-text;version=1.0.0,"
		 "application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,"
		 "*/*;q=0.1",
		 EXPOSITION_OPENMETRICS},
		{"application/openmetrics-text", EXPOSITION_OPENMETRICS},
		{"Application/OpenMetrics-Text; q=0.5", EXPOSITION_OPENMETRICS},
		{"text/plain;q=0.5, application/openmetrics-text; version=1.0.0; q=0.4",
		 EXPOSITION_TEXT},
		{"application/openmetrics-text;q=0", EXPOSITION_TEXT},
		{"application/openmetrics-textual", EXPOSITION_TEXT},
		{"application/openmetrics-text;;;", EXPOSITION_OPENMETRICS},
		{",,;q=,;", EXPOSITION_TEXT},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (exposition_choose(cases[i].accept) != cases[i].form)
			fail_msg("%s", cases[i].accept);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_form), cmocka_unit_test(openmetrics_form),
		cmocka_unit_test(histogram), cmocka_unit_test(labels_are_utf8),
		cmocka_unit_test(grows),     cmocka_unit_test(choice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
