/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The messages of a speed test: as documented, and what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/speed_message.h"

static const uint8_t request_bytes[] = {2, 0, 0, 60, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0};
static const uint8_t verdict_bytes[] = {2, 0, 0, 0, 0,	  1,   0x51, 0x80,
					0, 0, 0, 2, 0x54, 0xb, 0xe4, 0};
static const uint8_t report_bytes[] = {0, 0, 0, 0, 0, 0xf, 0x42, 0x40, 0, 0, 0, 0, 0, 0, 1, 0};

static void requests_are_as_documented(void **state)
{
	const struct speed_request request = {
		.kind = SPEED_SINK, .seconds = 60, .test = 0x0102030405060708};
	uint8_t bytes[SPEED_ADDRESS_BYTES];
	struct speed_request read;

	(void)state;
	speed_request_write(bytes, &request);
	assert_memory_equal(bytes, request_bytes, sizeof(bytes));
	assert_true(speed_request_read(bytes, &read));
	assert_int_equal(read.kind, request.kind);
	assert_int_equal(read.seconds, request.seconds);
	assert_int_equal(read.test, request.test);
	/* What a later version may say there. */
	bytes[1] = bytes[12] = bytes[15] = 0xff;
	assert_true(speed_request_read(bytes, &read));
}

static void other_requests_are_none(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
	} wrong[] = {{0, 0}, {0, 4}, {0, 255}, {2, 1}, {3, 61}, {3, 0}};
	struct speed_request read;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		uint8_t bytes[SPEED_ADDRESS_BYTES];

		memcpy(bytes, request_bytes, sizeof(bytes));
		bytes[wrong[i].at] = wrong[i].value;
		assert_false(speed_request_read(bytes, &read));
	}
}

static void verdicts_are_as_documented(void **state)
{
	const struct speed_verdict verdict = {
		.refusal = SPEED_USED_UP, .wait_s = 86400, .bytes = SPEED_DAY_BYTES};
	uint8_t bytes[SPEED_ADDRESS_BYTES];
	struct speed_verdict read;

	(void)state;
	speed_verdict_write(bytes, &verdict);
	assert_memory_equal(bytes, verdict_bytes, sizeof(bytes));
	assert_true(speed_verdict_read(bytes, &read));
	assert_int_equal(read.refusal, verdict.refusal);
	assert_int_equal(read.wait_s, verdict.wait_s);
	assert_int_equal(read.bytes, verdict.bytes);
	bytes[0] = SPEED_CROWDED + 1;
	assert_false(speed_verdict_read(bytes, &read));
}

static void reports_are_as_documented(void **state)
{
	const struct speed_report report = {.us = 1000000, .bytes = 256};
	uint8_t bytes[SPEED_REPORT_BYTES];
	struct speed_report read;

	(void)state;
	speed_report_write(bytes, &report);
	assert_memory_equal(bytes, report_bytes, sizeof(bytes));
	speed_report_read(bytes, &read);
	assert_int_equal(read.us, report.us);
	assert_int_equal(read.bytes, report.bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_are_as_documented),
		cmocka_unit_test(other_requests_are_none),
		cmocka_unit_test(verdicts_are_as_documented),
		cmocka_unit_test(reports_are_as_documented),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
