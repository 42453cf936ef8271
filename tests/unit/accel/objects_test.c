/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libbpf takes the BPF objects as this machine's: maps, BTF, relocations, and what is left for the
 * kernel. It asks the kernel for BTF only, so this runs under qemu for the other byte order as
 * well. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <cmocka.h>
#include <linux/bpf.h>

#include "hawser_local.h"
#include "hawser_packets.h"
#include "hawser_run.h"
#include "hawser_sockmap.h"
#include "hawser_steer.h"
#include "local.skel.h"
#include "packets.skel.h"
#include "run.skel.h"
#include "sockmap.skel.h"
#include "steer.skel.h"

/* Has all put into a program that would load it, in place of loading it. */
static void is_taken(struct bpf_object *object)
{
	LIBBPF_OPTS(gen_loader_opts, loader);

	assert_int_equal(bpf_object__gen_loader(object, &loader), 0);
	assert_int_equal(bpf_object__load(object), 0);
	assert_true(loader.insns_sz > 0 && loader.data_sz > 0);
}

/* libbpf goes on without BTF; then 6.1's verifier gives up on packets.bpf.c. */
static void types_are_taken(const struct bpf_object *object)
{
	const int err = btf__load_into_kernel(bpf_object__btf(object));

	if (err != -ENOSYS && err != -EPERM)
		assert_int_equal(err, 0);
}

#define DEFINE_TEST(name)                                                                          \
	static void name##_is_taken(void **state)                                                  \
	{                                                                                          \
		struct name##_bpf *skeleton = name##_bpf__open();                                  \
                                                                                                   \
		(void)state;                                                                       \
		assert_non_null(skeleton);                                                         \
		is_taken(skeleton->obj);                                                           \
		name##_bpf__destroy(skeleton);                                                     \
		skeleton = name##_bpf__open();                                                     \
		assert_non_null(skeleton);                                                         \
		types_are_taken(skeleton->obj);                                                    \
		name##_bpf__destroy(skeleton);                                                     \
	}

DEFINE_TEST(local)
DEFINE_TEST(packets)
DEFINE_TEST(run)
DEFINE_TEST(sockmap)
DEFINE_TEST(steer)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(local_is_taken), cmocka_unit_test(packets_is_taken),
		cmocka_unit_test(run_is_taken),	  cmocka_unit_test(sockmap_is_taken),
		cmocka_unit_test(steer_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
