/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The name of the server in the first bytes that a client sends. */
#include "proto/server_name.h"

#include <string.h>
#include <strings.h>

/* RFC 8446 sections 4, 4.2 and 5.1; RFC 6066 section 3 */
#define TLS_HANDSHAKE	 22
#define TLS_MAJOR	 3
#define TLS_CLIENT_HELLO 1
#define TLS_SERVER_NAME	 0
#define TLS_HOST_NAME	 0
#define TLS_RANDOM_BYTES 32

/* Reads the handshake message through the headers of the records that it is spread over. */
struct hello {
	const uint8_t *bytes;
	size_t len;
	size_t at;
	size_t record_left;  /* bytes of the record that at is in */
	size_t message_left; /* of the ClientHello */
	enum parse result;   /* PARSE_DONE while all is well */
};

static uint8_t hello_byte(struct hello *hello)
{
	const uint8_t *header = hello->bytes + hello->at;

	if (hello->result != PARSE_DONE)
		return 0;
	if (hello->message_left == 0) {
		hello->result = PARSE_BAD;
		return 0;
	}
	if (hello->record_left == 0) {
		if (hello->len - hello->at < 5) {
			hello->result = PARSE_MORE;
			return 0;
		}
		hello->record_left = (size_t)header[3] << 8 | header[4];
		if (header[0] != TLS_HANDSHAKE || header[1] != TLS_MAJOR ||
		    hello->record_left == 0) {
			hello->result = PARSE_BAD;
			return 0;
		}
		hello->at += 5;
	}
	if (hello->at == hello->len) {
		hello->result = PARSE_MORE;
		return 0;
	}
	hello->record_left--;
	hello->message_left--;
	return hello->bytes[hello->at++];
}

/* Of one to three bytes, the most significant first. */
static size_t hello_number(struct hello *hello, int bytes)
{
	size_t number = 0;

	for (int i = 0; i < bytes; i++)
		number = number << 8 | hello_byte(hello);
	return number;
}

static void hello_skip(struct hello *hello, size_t count)
{
	while (count-- > 0 && hello->result == PARSE_DONE)
		(void)hello_byte(hello);
}

/* Within the extension server_name. */
static enum parse hello_name(struct hello *hello, char text[HOST_NAME_MAX_BYTES + 1])
{
	size_t len;

	(void)hello_number(hello, 2);
	/* The list has one name: no other type was ever defined. */
	if (hello_byte(hello) != TLS_HOST_NAME && hello->result == PARSE_DONE)
		return PARSE_BAD;
	len = hello_number(hello, 2);
	if (hello->result != PARSE_DONE)
		return hello->result;
	if (len > HOST_NAME_MAX_BYTES)
		return PARSE_BAD;
	for (size_t i = 0; i < len; i++)
		text[i] = (char)hello_byte(hello);
	text[len] = '\0';
	return hello->result;
}

static enum parse server_name_tls(const uint8_t *bytes, size_t len,
				  char text[HOST_NAME_MAX_BYTES + 1])
{
	struct hello hello = {.bytes = bytes, .len = len, .message_left = 4, .result = PARSE_DONE};
	size_t message_len;

	if (hello_byte(&hello) != TLS_CLIENT_HELLO && hello.result == PARSE_DONE)
		return PARSE_BAD;
	message_len = hello_number(&hello, 3);
	hello.message_left = message_len;
	hello_skip(&hello, 2 + TLS_RANDOM_BYTES);
	hello_skip(&hello, hello_number(&hello, 1)); /* session id */
	hello_skip(&hello, hello_number(&hello, 2)); /* cipher suites */
	hello_skip(&hello, hello_number(&hello, 1)); /* compression methods */
	(void)hello_number(&hello, 2);		     /* length of the extensions */
	while (hello.result == PARSE_DONE) {
		size_t type = hello_number(&hello, 2);
		size_t size = hello_number(&hello, 2);

		if (hello.result == PARSE_DONE && type == TLS_SERVER_NAME)
			return hello_name(&hello, text);
		hello_skip(&hello, size);
	}
	return hello.result;
}

/* Whether the line, without its end, is the first of an HTTP/1 request (RFC 9112 section 3). */
static bool is_request_line(const char *line, size_t len)
{
	static const char version[] = " HTTP/1.";
	const size_t version_len = sizeof(version) - 1;

	return len > version_len + 1 &&
	       memcmp(line + len - version_len - 1, version, version_len) == 0;
}

/* The value of a field "Host", without spaces, brackets and port. */
static enum parse host_value(const char *value, size_t len, char text[HOST_NAME_MAX_BYTES + 1])
{
	size_t end = 0;

	while (len > 0 && (*value == ' ' || *value == '\t')) {
		value++;
		len--;
	}
	while (end < len && value[end] != ' ' && value[end] != '\t' && value[end] != ':')
		end++;
	if (end > HOST_NAME_MAX_BYTES)
		return PARSE_BAD;
	memcpy(text, value, end);
	text[end] = '\0';
	return PARSE_DONE;
}

static enum parse server_name_http(const char *bytes, size_t len,
				   char text[HOST_NAME_MAX_BYTES + 1])
{
	static const char field[] = "Host:";
	const size_t field_len = strlen(field);
	const char *end = bytes + len;
	const char *line = bytes;
	const char *line_end;

	for (; (line_end = memchr(line, '\n', (size_t)(end - line))); line = line_end + 1) {
		size_t line_len = (size_t)(line_end - line);

		if (line_len > 0 && line[line_len - 1] == '\r')
			line_len--;
		if (line == bytes ? !is_request_line(line, line_len) : line_len == 0)
			return PARSE_BAD;
		if (line_len >= field_len && strncasecmp(line, field, field_len) == 0)
			return host_value(line + field_len, line_len - field_len, text);
	}
	return PARSE_MORE;
}

enum parse server_name_name(const uint8_t *bytes, size_t len, char name[HOST_NAME_MAX_BYTES + 1])
{
	char text[HOST_NAME_MAX_BYTES + 1];
	struct destination destination;
	enum parse result = PARSE_BAD;

	if (len == 0)
		return PARSE_MORE;
	if (bytes[0] == TLS_HANDSHAKE)
		result = server_name_tls(bytes, len, text);
	else if (bytes[0] >= 'A' && bytes[0] <= 'Z')
		result = server_name_http((const char *)bytes, len, text);
	if (result != PARSE_DONE)
		return result;
	/* A name is what may be a host's, and no address. Port 1 is any port. */
	if (destination_from_host(&destination, text, strlen(text), 1) ||
	    destination.host[0] == '\0')
		return PARSE_BAD;
	memcpy(name, destination.host, sizeof(destination.host));
	return PARSE_DONE;
}
