/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When the program is put back on an interface, and when that is forgotten; the kernel is played.
 */
#include "accel/packets_device.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>

#include "intercept/tc_hook.h"

#define DEVICE 7

static struct packets_devices *devices;
static int look;
static int looks;
static int attach_err;
static int attached;

enum tc_hook __wrap_tc_hook_probe(void);
enum tc_hook __wrap_tc_hook_probe(void)
{
	return STEER_TCX;
}

int __wrap_tc_hook_look(enum tc_hook hook, const struct tc_program *which, unsigned int ifindex,
			int program);
int __wrap_tc_hook_look(enum tc_hook hook, const struct tc_program *which, unsigned int ifindex,
			int program)
{
	(void)hook;
	(void)which;
	(void)program;
	assert_int_equal(ifindex, DEVICE);
	looks++;
	return look;
}

int __wrap_tc_hook_attach(enum tc_hook hook, const struct tc_program *which, unsigned int ifindex,
			  int program, int replaced);
int __wrap_tc_hook_attach(enum tc_hook hook, const struct tc_program *which, unsigned int ifindex,
			  int program, int replaced)
{
	(void)hook;
	(void)which;
	(void)program;
	(void)replaced;
	assert_int_equal(ifindex, DEVICE);
	attached++;
	return attach_err;
}

int __wrap_tc_hook_detach(enum tc_hook hook, const struct tc_program *which, unsigned int ifindex,
			  int program);
int __wrap_tc_hook_detach(enum tc_hook hook, const struct tc_program *which, unsigned int ifindex,
			  int program)
{
	(void)hook;
	(void)which;
	(void)ifindex;
	(void)program;
	return 0;
}

char *__wrap_if_indextoname(unsigned int ifindex, char *name);
char *__wrap_if_indextoname(unsigned int ifindex, char *name)
{
	assert_int_equal(ifindex, DEVICE);
	return memcpy(name, "lan", sizeof("lan"));
}

int __wrap_ioctl(int fd, unsigned long what, struct ifreq *request);
int __wrap_ioctl(int fd, unsigned long what, struct ifreq *request)
{
	(void)fd;
	(void)what;
	request->ifr_hwaddr.sa_family = ARPHRD_ETHER;
	return 0;
}

static int start(void **state)
{
	(void)state;
	look = 1;
	attach_err = 0;
	devices = packets_devices_open(3, 4);
	assert_non_null(devices);
	assert_int_equal(packets_devices_attend(devices, DEVICE), 0);
	looks = 0;
	attached = 0;
	return 0;
}

static int stop(void **state)
{
	(void)state;
	packets_devices_close(devices);
	return 0;
}

/* So many looks, a second each, which see this. How often the program was put there. */
static int tend(int count, int seen)
{
	const int before = attached;

	look = seen;
	for (int i = 0; i < count; i++)
		packets_devices_tend(devices);
	return attached - before;
}

static void what_passes_is_not_forgotten(void **state)
{
	static const int passing[] = {-ENOBUFS, -EMFILE, -EPERM, -EBUSY};

	(void)state;
	for (size_t i = 0; i < sizeof(passing) / sizeof(passing[0]); i++) {
		assert_int_equal(tend(2, passing[i]), 0);
		attach_err = passing[i];
		assert_true(tend(8, 0) > 0);
	}
	attach_err = 0;
	assert_true(tend(8, 0) > 0);
	looks = 0;
	(void)tend(1, 1);
	assert_int_equal(looks, 1);
}

static void who_is_gone_is_forgotten(void **state)
{
	static const int gone[] = {-ENODEV, -ENXIO};

	(void)state;
	for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++) {
		(void)tend(1, gone[i]);
		looks = 0;
		(void)tend(1, 1);
		assert_int_equal(looks, 0);
		/* It may come again. */
		assert_int_equal(packets_devices_attend(devices, DEVICE), 0);
	}
	attach_err = -ENODEV;
	(void)tend(8, 0);
	looks = 0;
	(void)tend(1, 1);
	assert_int_equal(looks, 0);
}

/* As by a script that deletes the qdisc, and then makes one of its own. */
static void who_takes_it_off_has_a_moment(void **state)
{
	(void)state;
	assert_int_equal(tend(1, 0), 0);
	assert_int_equal(tend(1, 1), 0);
	assert_int_equal(tend(1, 0), 0);
	assert_int_equal(tend(1, 0), 1);
}

static void again_and_again_is_ever_more_rarely(void **state)
{
	(void)state;
	assert_int_equal(tend(2, 0), 1);
	assert_int_equal(tend(3, 0), 0);
	assert_int_equal(tend(1, 0), 1);
	assert_int_equal(tend(7, 0), 0);
	assert_int_equal(tend(1, 0), 1);
	/* Never not at all. */
	(void)tend(10000, 0);
	assert_true(tend(1000, 0) > 0);
	assert_true(tend(1000, 0) < 10);
	/* Then it stays. */
	(void)tend(100, 1);
	assert_int_equal(tend(2, 0), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_passes_is_not_forgotten, start, stop),
		cmocka_unit_test_setup_teardown(who_is_gone_is_forgotten, start, stop),
		cmocka_unit_test_setup_teardown(who_takes_it_off_has_a_moment, start, stop),
		cmocka_unit_test_setup_teardown(again_and_again_is_ever_more_rarely, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
