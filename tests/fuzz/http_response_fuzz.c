/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an origin answers: what goes on to the client is a response of the same end, said once. The
 * input: one byte that says to what request, and a head. */
#include <assert.h>
#include <stdlib.h>

#include "proto/http_forward.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HTTP10	    1
#define HEAD_METHOD 2
#define KEEP	    4

static void check(const struct http_request *request, const struct http_response *response,
		  const uint8_t *bytes, size_t len)
{
	struct http_scan scan = {0};
	struct http_response again;
	struct span reason, fields, value;

	assert(http_scan_head(&scan, bytes, len) == PARSE_DONE && scan.at == len && !scan.bare_lf);
	assert(http_read_response((struct span){(const char *)bytes, len}, request, &again, &reason,
				  &fields) == 0);
	assert(again.status == response->status && !again.http10);
	assert(again.framing == http_client_framing(request, response));
	assert(again.framing != HTTP_BODY_LENGTH || again.length == response->length);
	assert(!http_next_field(&fields, "Proxy-Authenticate", &value));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_scan scan = {0};
	struct http_request request = {0};
	struct http_response response;
	struct span reason, fields;
	uint8_t *forwarded;
	size_t len;

	if (size < 1)
		return 0;
	request.http10 = data[0] & HTTP10;
	request.head_method = data[0] & HEAD_METHOD;
	if (http_scan_head(&scan, data + 1, size - 1) != PARSE_DONE ||
	    http_read_response((struct span){(const char *)data + 1, scan.at}, &request, &response,
			       &reason, &fields))
		return 0;
	forwarded = http_forward_response(&request, &response, reason, fields,
					  !request.http10 && data[0] & KEEP, &len);
	if (forwarded)
		check(&request, &response, forwarded, len);
	free(forwarded);
	return 0;
}
