/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The one table of causes: what counters, people, SOCKS and HTTP clients are told of each. */
#include "base/cause.h"

#include <assert.h>
#include <errno.h>

/* RFC 1928 section 6. A time-out is "TTL expired", as Dante and Tor answer; a name that cannot be
 * resolved, for whatever reason, is an unreachable host. */
enum socks5_code {
	SOCKS5_SUCCEEDED = 0,
	SOCKS5_GENERAL_FAILURE = 1,
	SOCKS5_NOT_ALLOWED = 2,
	SOCKS5_NETWORK_UNREACHABLE = 3,
	SOCKS5_HOST_UNREACHABLE = 4,
	SOCKS5_REFUSED = 5,
	SOCKS5_TTL_EXPIRED = 6,
	SOCKS5_COMMAND_NOT_SUPPORTED = 7,
	SOCKS5_ADDRESS_TYPE_NOT_SUPPORTED = 8,
};

/* The higher the rank, the more the attempt has found out about the destination itself. Rank 0:
 * never the outcome of one attempt among several. */
static const struct cause_info causes[CAUSE_COUNT] = {
	[CAUSE_NONE] = {"none", "no error", SOCKS5_SUCCEEDED, 200, 0},
	[CAUSE_REFUSED] = {"refused", "connection refused", SOCKS5_REFUSED, 502, 11},
	[CAUSE_NETWORK_UNREACHABLE] = {"network-unreachable", "network unreachable",
				       SOCKS5_NETWORK_UNREACHABLE, 502, 6},
	[CAUSE_HOST_UNREACHABLE] = {"host-unreachable", "host unreachable", SOCKS5_HOST_UNREACHABLE,
				    502, 7},
	[CAUSE_CONNECT_TIMEOUT] = {"connect-timeout", "connection timed out", SOCKS5_TTL_EXPIRED,
				   504, 10},
	[CAUSE_NOT_ALLOWED] = {"not-allowed", "not allowed", SOCKS5_NOT_ALLOWED, 403, 5},
	[CAUSE_AUTH_FAILED] = {"auth-failed", "authentication failed", SOCKS5_GENERAL_FAILURE, 407,
			       0},
	[CAUSE_NAME_NOT_FOUND] = {"name-not-found", "name not found", SOCKS5_HOST_UNREACHABLE, 502,
				  1},
	[CAUSE_RESOLVE_FAILED] = {"resolve-failed", "name resolution failed",
				  SOCKS5_HOST_UNREACHABLE, 502, 2},
	[CAUSE_NO_ORIGINAL] = {"no-original-destination", "original destination unknown",
			       SOCKS5_GENERAL_FAILURE, 502, 0},
	[CAUSE_NOT_MPTCP] = {"not-mptcp", "destination does not speak MPTCP",
			     SOCKS5_GENERAL_FAILURE, 502, 9},
	[CAUSE_COMMAND_NOT_SUPPORTED] = {"command-not-supported", "command not supported",
					 SOCKS5_COMMAND_NOT_SUPPORTED, 501, 0},
	[CAUSE_ADDRESS_TYPE_NOT_SUPPORTED] = {"address-type-not-supported",
					      "address type not supported",
					      SOCKS5_ADDRESS_TYPE_NOT_SUPPORTED, 400, 0},
	[CAUSE_BAD_REQUEST] = {"bad-request", "bad request", SOCKS5_GENERAL_FAILURE, 400, 0},
	[CAUSE_PROXY_HEADER] = {"proxy-header", "no good PROXY protocol header",
				SOCKS5_GENERAL_FAILURE, 400, 0},
	[CAUSE_HANDSHAKE_TIMEOUT] = {"handshake-timeout", "handshake timed out",
				     SOCKS5_GENERAL_FAILURE, 408, 0},
	[CAUSE_CROWDED] = {"crowded", "too many clients that do not say where they want to go",
			   SOCKS5_GENERAL_FAILURE, 503, 0},
	[CAUSE_CLIENT_GONE] = {"client-gone", "client left", SOCKS5_GENERAL_FAILURE, 400, 0},
	[CAUSE_RESET] = {"reset", "connection reset", SOCKS5_GENERAL_FAILURE, 502, 8},
	[CAUSE_BAD_RESPONSE] = {"bad-response", "the server sent no valid HTTP response",
				SOCKS5_GENERAL_FAILURE, 502, 0},
	[CAUSE_BYTES_LOST] = {"bytes-lost", "the kernel lost bytes", SOCKS5_GENERAL_FAILURE, 502,
			      0},
	[CAUSE_IDLE_TIMEOUT] = {"idle-timeout", "idle for too long", SOCKS5_GENERAL_FAILURE, 504,
				0},
	[CAUSE_HALF_CLOSED_TIMEOUT] = {"half-closed-timeout", "half closed for too long",
				       SOCKS5_GENERAL_FAILURE, 504, 0},
	[CAUSE_CLOCK] = {"clock", "clocks differ", SOCKS5_GENERAL_FAILURE, 403, 0},
	[CAUSE_LIMIT] = {"limit", "as many sessions as the token may have", SOCKS5_GENERAL_FAILURE,
			 503, 0},
	[CAUSE_REVOKED] = {"revoked", "token revoked", SOCKS5_GENERAL_FAILURE, 403, 0},
	[CAUSE_NO_EXIT] = {"no-exit", "no exit answers", SOCKS5_GENERAL_FAILURE, 502, 0},
	[CAUSE_EXIT_SILENT] = {"exit-silent", "exit does not answer", SOCKS5_GENERAL_FAILURE, 504,
			       0},
	[CAUSE_EXIT_BROKEN] = {"exit-broken", "exit left or does not speak the protocol",
			       SOCKS5_GENERAL_FAILURE, 502, 0},
	[CAUSE_RESOURCES] = {"resources", "out of file descriptors or memory",
			     SOCKS5_GENERAL_FAILURE, 503, 4},
	[CAUSE_KILLED] = {"killed", "ended by the administrator", SOCKS5_GENERAL_FAILURE, 503, 0},
	[CAUSE_STOPPED] = {"stopped", "hawserd stopped", SOCKS5_GENERAL_FAILURE, 503, 0},
	[CAUSE_OTHER] = {"other", "connection failed", SOCKS5_GENERAL_FAILURE, 502, 3},
};

const struct cause_info *cause_info(enum cause cause)
{
	assert(cause < CAUSE_COUNT);
	return &causes[cause];
}

enum cause cause_from_errno(int err)
{
	switch (err) {
	case ECONNREFUSED:
		return CAUSE_REFUSED;
	case ENETUNREACH:
	case ENETDOWN:
	case EADDRNOTAVAIL:
	case EAFNOSUPPORT:
		return CAUSE_NETWORK_UNREACHABLE;
	case EHOSTUNREACH:
	case EHOSTDOWN:
		return CAUSE_HOST_UNREACHABLE;
	case ETIMEDOUT:
		return CAUSE_CONNECT_TIMEOUT;
	case EACCES:
	case EPERM:
		return CAUSE_NOT_ALLOWED;
	case ECONNRESET:
	case ECONNABORTED:
	case EPIPE:
		return CAUSE_RESET;
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case ENOBUFS:
		return CAUSE_RESOURCES;
	default:
		return CAUSE_OTHER;
	}
}

enum cause cause_from_socks5_reply(uint8_t code)
{
	static const enum cause by_code[] = {
		[SOCKS5_SUCCEEDED] = CAUSE_NONE,
		[SOCKS5_GENERAL_FAILURE] = CAUSE_OTHER,
		[SOCKS5_NOT_ALLOWED] = CAUSE_NOT_ALLOWED,
		[SOCKS5_NETWORK_UNREACHABLE] = CAUSE_NETWORK_UNREACHABLE,
		[SOCKS5_HOST_UNREACHABLE] = CAUSE_HOST_UNREACHABLE,
		[SOCKS5_REFUSED] = CAUSE_REFUSED,
		[SOCKS5_TTL_EXPIRED] = CAUSE_CONNECT_TIMEOUT,
		[SOCKS5_COMMAND_NOT_SUPPORTED] = CAUSE_COMMAND_NOT_SUPPORTED,
		[SOCKS5_ADDRESS_TYPE_NOT_SUPPORTED] = CAUSE_ADDRESS_TYPE_NOT_SUPPORTED,
	};

	return code < sizeof(by_code) / sizeof(*by_code) ? by_code[code] : CAUSE_OTHER;
}
