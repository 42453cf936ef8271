/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the doctor tells is kept, once it is whole. */
#include "daemon/doctor_record.h"

#include <json-c/json.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"

static struct doctor_record record;

static const char *tell(const char *text)
{
	static char said[64];
	struct json_object *request = json_tokener_parse(text);
	struct json_object *answer = doctor_record_take(&record, request);

	assert_non_null(answer);
	strncpy(said, json_text(answer, "error"), sizeof(said) - 1);
	json_object_put(answer);
	json_object_put(request);
	return said;
}

static size_t checks(const char *verdict)
{
	struct json_object *report = doctor_record_report(&record);
	const size_t count = json_length(json_member(report, "checks"));

	assert_string_equal(json_text(report, "verdict"), verdict);
	assert_int_equal(json_seconds(report, "time") > 0, *verdict != '\0');
	json_object_put(report);
	return count;
}

static void whole_runs(void **state)
{
	(void)state;
	assert_int_equal(checks(""), 0);
	assert_string_equal(tell("{\"check\":{}}"), "no \"begin\" before it");
	assert_string_equal(tell("{\"begin\":true}"), "");
	assert_string_equal(tell("{\"check\":{\"check\":\"mtu\"}}"), "");
	assert_int_equal(checks(""), 0);
	assert_string_equal(tell("{\"verdict\":\"warn\"}"), "");
	assert_int_equal(checks("warn"), 1);
	/* The next does not show before its end, and begins anew when it is begun twice. */
	tell("{\"begin\":true}");
	tell("{\"check\":{}}");
	tell("{\"begin\":true}");
	assert_int_equal(checks("warn"), 1);
	tell("{\"check\":{}}");
	tell("{\"check\":{}}");
	tell("{\"verdict\":\"ok\"}");
	assert_int_equal(checks("ok"), 2);
	doctor_record_free(&record);
}

static void bounded(void **state)
{
	(void)state;
	tell("{\"begin\":true}");
	for (int i = 0; i < DOCTOR_CHECKS_MAX + 10; i++)
		tell("{\"check\":{\"seen\":\"x\"}}");
	tell("{\"verdict\":\"a word that is much too long\"}");
	assert_int_equal(checks("a word "), DOCTOR_CHECKS_MAX);
	doctor_record_free(&record);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_runs),
		cmocka_unit_test(bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
