/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What splice(2) is found to do on this kernel, and on ones that refuse it or copy. The linker puts
 * __wrap_splice in place of the kernel's. */
#include "net/splice_probe.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static enum { AS_IT_IS, REFUSES, COPIES } kernel;

ssize_t __wrap_splice(int in, off64_t *in_at, int out, off64_t *out_at, size_t len,
		      unsigned int flags);
ssize_t __real_splice(int in, off64_t *in_at, int out, off64_t *out_at, size_t len,
		      unsigned int flags);

ssize_t __wrap_splice(int in, off64_t *in_at, int out, off64_t *out_at, size_t len,
		      unsigned int flags)
{
	char bytes[65536];
	ssize_t n;

	if (kernel == AS_IT_IS)
		return __real_splice(in, in_at, out, out_at, len, flags);
	errno = EINVAL;
	if (kernel == REFUSES)
		return -1;
	n = read(in, bytes, len < sizeof(bytes) ? len : sizeof(bytes));
	return n > 0 ? write(out, bytes, (size_t)n) : n;
}

static const enum splice_direction directions[] = {SPLICE_FROM_SOCKET, SPLICE_TO_SOCKET};

static void tcp_passes_pages_on(void **state)
{
	char reason[96] = "";

	(void)state;
	kernel = AS_IT_IS;
	for (size_t i = 0; i < 2; i++)
		assert_true(splice_probe(IPPROTO_TCP, directions[i], reason, sizeof(reason)));
	assert_string_equal(reason, "");
}

static void a_copy_is_noticed(void **state)
{
	char reason[96] = "";

	(void)state;
	kernel = COPIES;
	for (size_t i = 0; i < 2; i++) {
		assert_false(splice_probe(IPPROTO_TCP, directions[i], reason, sizeof(reason)));
		assert_string_equal(reason, "the kernel copies");
	}
}

static void a_refusal_is_told(void **state)
{
	char reason[96] = "";

	(void)state;
	kernel = REFUSES;
	for (size_t i = 0; i < 2; i++) {
		assert_false(splice_probe(IPPROTO_TCP, directions[i], reason, sizeof(reason)));
		assert_string_equal(reason, "the kernel refuses: Invalid argument");
	}
}

/* Before 7.0 it copies; whatever it does, there is a reason just when it does not pass pages on. */
static void mptcp_is_one_or_the_other(void **state)
{
	(void)state;
	kernel = AS_IT_IS;
	for (size_t i = 0; i < 2; i++) {
		char reason[96] = "";
		const bool passes =
			splice_probe(IPPROTO_MPTCP, directions[i], reason, sizeof(reason));

		assert_int_equal(passes, reason[0] == '\0');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tcp_passes_pages_on),
		cmocka_unit_test(a_copy_is_noticed),
		cmocka_unit_test(a_refusal_is_told),
		cmocka_unit_test(mptcp_is_one_or_the_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
