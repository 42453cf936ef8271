/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The messages of a speed test. */
#include "proto/speed_message.h"

#include <string.h>

#include "proto/big_endian.h"

/* Offsets in the address of a request, and in that of the reply to it. */
enum { REQUEST_KIND = 0, REQUEST_SECONDS = 2, REQUEST_TEST = 4 };
enum { VERDICT_REFUSAL = 0, VERDICT_WAIT = 4, VERDICT_BYTES = 8 };

void speed_request_write(uint8_t out[static SPEED_ADDRESS_BYTES],
			 const struct speed_request *request)
{
	memset(out, 0, SPEED_ADDRESS_BYTES);
	out[REQUEST_KIND] = (uint8_t)request->kind;
	put_be(out + REQUEST_SECONDS, 2, request->seconds);
	put_be(out + REQUEST_TEST, 8, request->test);
}

bool speed_request_read(const uint8_t in[static SPEED_ADDRESS_BYTES], struct speed_request *out)
{
	*out = (struct speed_request){
		.kind = (enum speed_kind)in[REQUEST_KIND],
		.seconds = (uint16_t)get_be(in + REQUEST_SECONDS, 2),
		.test = get_be(in + REQUEST_TEST, 8),
	};
	return out->kind >= SPEED_SOURCE && out->kind <= SPEED_ECHO && out->seconds >= 1 &&
	       out->seconds <= SPEED_SECONDS_MAX;
}

void speed_verdict_write(uint8_t out[static SPEED_ADDRESS_BYTES],
			 const struct speed_verdict *verdict)
{
	memset(out, 0, SPEED_ADDRESS_BYTES);
	out[VERDICT_REFUSAL] = (uint8_t)verdict->refusal;
	put_be(out + VERDICT_WAIT, 4, verdict->wait_s);
	put_be(out + VERDICT_BYTES, 8, verdict->bytes);
}

bool speed_verdict_read(const uint8_t in[static SPEED_ADDRESS_BYTES], struct speed_verdict *out)
{
	*out = (struct speed_verdict){
		.refusal = (enum speed_refusal)in[VERDICT_REFUSAL],
		.wait_s = (uint32_t)get_be(in + VERDICT_WAIT, 4),
		.bytes = get_be(in + VERDICT_BYTES, 8),
	};
	return in[VERDICT_REFUSAL] <= SPEED_CROWDED;
}

void speed_report_write(uint8_t out[static SPEED_REPORT_BYTES], const struct speed_report *report)
{
	put_be(out, 8, report->us);
	put_be(out + 8, 8, report->bytes);
}

void speed_report_read(const uint8_t in[static SPEED_REPORT_BYTES], struct speed_report *out)
{
	*out = (struct speed_report){.us = get_be(in, 8), .bytes = get_be(in + 8, 8)};
}
