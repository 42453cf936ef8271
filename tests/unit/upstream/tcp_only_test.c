/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The memory of destinations without MPTCP. The linker puts __wrap_crypto_shorthash in place of the
 * hash, so that tests can look at it and make it bad. */
#include "upstream/tcp_only.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#define BOUND 4096 /* ENTRIES_MAX */

static const struct tcp_only_config rules = {.expiry_s = 100, .retry = 4};

static uint64_t hash_mask; /* of the bits that are not taken away */
static uint64_t hash_last;
static uint8_t hash_key[crypto_shorthash_KEYBYTES];

int __real_crypto_shorthash(unsigned char *out, const unsigned char *in, unsigned long long len,
			    const unsigned char *key);
int __wrap_crypto_shorthash(unsigned char *out, const unsigned char *in, unsigned long long len,
			    const unsigned char *key);

int __wrap_crypto_shorthash(unsigned char *out, const unsigned char *in, unsigned long long len,
			    const unsigned char *key)
{
	assert_int_equal(__real_crypto_shorthash(out, in, len, key), 0);
	memcpy(&hash_last, out, sizeof(hash_last));
	hash_last &= hash_mask;
	memcpy(out, &hash_last, sizeof(hash_last));
	memcpy(hash_key, key, sizeof(hash_key));
	return 0;
}

static int open_memory(void **state)
{
	hash_mask = UINT64_MAX;
	*state = tcp_only_open();
	return *state ? 0 : -1;
}

static int close_memory(void **state)
{
	tcp_only_close(*state);
	return 0;
}

static union address address_of(const char *text)
{
	union address address;

	assert_int_equal(address_parse(text, &address), 0);
	return address;
}

/* The same number, the same destination; neighbours differ in port or address. */
static union address numbered(uint32_t number)
{
	const uint8_t ip[4] = {10, (uint8_t)(number >> 16), (uint8_t)(number >> 8), 1};
	union address address;

	address_from_bytes(&address, AF_INET, ip, (uint16_t)(1 + (number & 0xff)));
	return address;
}

static void note(struct tcp_only *memory, const char *to, enum transport became, double now_s)
{
	const union address address = address_of(to);

	tcp_only_note(memory, &address, became, now_s);
}

static bool plain(struct tcp_only *memory, const char *to, double now_s)
{
	const union address address = address_of(to);

	return tcp_only_choose(memory, &address, &rules, now_s);
}

static void assert_counts(struct tcp_only *memory, double now_s, uint64_t remembered,
			  uint64_t tcp_dials, uint64_t retries, uint64_t learnt)
{
	const struct tcp_only_counts counts = tcp_only_count(memory, &rules, now_s);

	assert_int_equal(counts.remembered, remembered);
	assert_int_equal(counts.tcp_dials, tcp_dials);
	assert_int_equal(counts.retries, retries);
	assert_int_equal(counts.learnt, learnt);
}

static void only_a_fallback_is_remembered(void **state)
{
	struct tcp_only *memory = *state;

	assert_false(plain(memory, "192.0.2.1:80", 1));
	note(memory, "192.0.2.1:80", TRANSPORT_NONE, 1);
	note(memory, "192.0.2.1:80", TRANSPORT_TCP, 1);
	note(memory, "192.0.2.1:80", TRANSPORT_MPTCP, 1);
	assert_false(plain(memory, "192.0.2.1:80", 1));
	assert_counts(memory, 1, 0, 0, 0, 0);
	note(memory, "192.0.2.1:80", TRANSPORT_FALLBACK, 1);
	assert_true(plain(memory, "192.0.2.1:80", 1));
	assert_counts(memory, 1, 1, 1, 0, 0);
	/* A plain dial proves nothing. */
	note(memory, "192.0.2.1:80", TRANSPORT_TCP, 1);
	assert_true(plain(memory, "192.0.2.1:80", 1));
}

static void each_address_and_port_is_its_own(void **state)
{
	static const char *const others[] = {"192.0.2.1:81", "192.0.2.1:20480", "192.0.2.2:80",
					     "[2001:db8::1]:80", "[::c000:201]:80"};
	struct tcp_only *memory = *state;
	union address mapped = {.in6 = {.sin6_family = AF_INET6, .sin6_port = htons(80)}};

	note(memory, "192.0.2.1:80", TRANSPORT_FALLBACK, 1);
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		assert_false(plain(memory, others[i], 1));
	assert_true(plain(memory, "192.0.2.1:80", 1));
	/* As address.h has it, v4-mapped is IPv4 however it is written. */
	memcpy(&mapped.in6.sin6_addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\1", 16);
	assert_true(tcp_only_choose(memory, &mapped, &rules, 1));

	note(memory, "[2001:db8::1]:80", TRANSPORT_FALLBACK, 1);
	assert_true(plain(memory, "[2001:db8::1]:80", 1));
	assert_false(plain(memory, "[2001:db8::1]:81", 1));
	assert_false(plain(memory, "[2001:db8::2]:80", 1));
	assert_counts(memory, 1, 2, 3, 0, 0);
}

static void one_in_so_many_tries_mptcp(void **state)
{
	const struct tcp_only_config always = {.expiry_s = 100, .retry = 1};
	const union address first = address_of("192.0.2.1:80");
	struct tcp_only *memory = *state;

	note(memory, "192.0.2.1:80", TRANSPORT_FALLBACK, 1);
	note(memory, "192.0.2.2:80", TRANSPORT_FALLBACK, 1);
	for (unsigned int dial = 1; dial <= 12; dial++) {
		/* Another destination's dials do not count for this one. */
		if (dial % 2)
			assert_int_equal(plain(memory, "192.0.2.2:80", 1), dial / 2 % 4 != 3);
		assert_int_equal(plain(memory, "192.0.2.1:80", 1), dial % 4 != 0);
		if (dial % 4 == 0) /* as ever */
			note(memory, "192.0.2.1:80", TRANSPORT_FALLBACK, 1);
	}
	assert_counts(memory, 1, 2, 9 + 5, 3 + 1, 0);
	for (int i = 0; i < 3; i++)
		assert_false(tcp_only_choose(memory, &first, &always, 1));
}

static void what_learnt_mptcp_is_forgotten_at_once(void **state)
{
	struct tcp_only *memory = *state;

	note(memory, "[2001:db8::1]:443", TRANSPORT_FALLBACK, 1);
	note(memory, "192.0.2.1:443", TRANSPORT_FALLBACK, 1);
	note(memory, "[2001:db8::1]:443", TRANSPORT_MPTCP, 2);
	assert_false(plain(memory, "[2001:db8::1]:443", 2));
	assert_true(plain(memory, "192.0.2.1:443", 2));
	assert_counts(memory, 2, 1, 1, 0, 1);
	note(memory, "[2001:db8::1]:443", TRANSPORT_MPTCP, 2);
	assert_counts(memory, 2, 1, 1, 0, 1);
	/* A fallback after that begins anew. */
	note(memory, "[2001:db8::1]:443", TRANSPORT_FALLBACK, 3);
	for (int i = 0; i < 3; i++)
		assert_true(plain(memory, "[2001:db8::1]:443", 3));
	assert_false(plain(memory, "[2001:db8::1]:443", 3));
}

static void it_expires(void **state)
{
	const struct tcp_only_config longer = {.expiry_s = 1000, .retry = 4};
	const union address third = address_of("192.0.2.3:80");
	struct tcp_only *memory = *state;

	note(memory, "192.0.2.1:80", TRANSPORT_FALLBACK, 1000);
	note(memory, "192.0.2.2:80", TRANSPORT_FALLBACK, 1001);
	note(memory, "192.0.2.3:80", TRANSPORT_FALLBACK, 1002);
	assert_true(plain(memory, "192.0.2.1:80", 1099.9));
	/* A plain dial does not prolong it, a fallback does. */
	note(memory, "192.0.2.2:80", TRANSPORT_FALLBACK, 1099.9);
	assert_counts(memory, 1099.9, 3, 1, 0, 0);
	assert_false(plain(memory, "192.0.2.1:80", 1100));
	assert_true(plain(memory, "192.0.2.2:80", 1100));
	assert_counts(memory, 1100, 2, 2, 0, 0);
	/* Another setting holds at once. */
	assert_true(tcp_only_choose(memory, &third, &longer, 1500));
	assert_counts(memory, 1500, 0, 3, 0, 0);
}

static void the_oldest_makes_room(void **state)
{
	struct tcp_only *memory = *state;
	const union address renewed = numbered(3);

	for (uint32_t i = 0; i < 3 * BOUND; i++) {
		const union address address = numbered(i);

		tcp_only_note(memory, &address, TRANSPORT_FALLBACK, 1);
		assert_int_equal(tcp_only_count(memory, &rules, 1).remembered,
				 i < BOUND ? i + 1 : BOUND);
		if (i % BOUND == BOUND - 1)
			tcp_only_note(memory, &renewed, TRANSPORT_FALLBACK, 1);
	}
	/* The last renewal put one more out. */
	for (uint32_t i = 0; i < 3 * BOUND; i++) {
		const union address address = numbered(i);

		assert_int_equal(tcp_only_choose(memory, &address, &rules, 1),
				 i == 3 || i > 2 * BOUND);
	}
	assert_counts(memory, 1 + rules.expiry_s, 0, BOUND, 0, 0);
	/* Empty, and as good as new. */
	tcp_only_note(memory, &renewed, TRANSPORT_FALLBACK, 200);
	assert_true(tcp_only_choose(memory, &renewed, &rules, 200));
}

/* Against a plain list of when each fell back, with chains as long as the hash lets them be. */
static void compare_with_list(struct tcp_only *memory, unsigned int seed)
{
	enum { DESTINATIONS = 200, STEPS = 20000 };
	double fell_back_s[DESTINATIONS];
	const struct tcp_only_config never_retry = {.expiry_s = 100, .retry = UINT32_MAX};
	uint64_t remembered = 0;
	double now_s = 1000;

	for (int i = 0; i < DESTINATIONS; i++)
		fell_back_s[i] = -1;
	for (int step = 0; step < STEPS; step++) {
		const int which = rand_r(&seed) % DESTINATIONS;
		const union address address = numbered((uint32_t)which);
		const bool known = fell_back_s[which] >= 0 && now_s - fell_back_s[which] < 100;

		switch (rand_r(&seed) % 4) {
		case 0:
			tcp_only_note(memory, &address, TRANSPORT_FALLBACK, now_s);
			fell_back_s[which] = now_s;
			break;
		case 1:
			tcp_only_note(memory, &address, TRANSPORT_MPTCP, now_s);
			fell_back_s[which] = -1;
			break;
		default:
			assert_int_equal(tcp_only_choose(memory, &address, &never_retry, now_s),
					 known);
		}
		now_s += rand_r(&seed) % 3;
		remembered = 0;
		for (int i = 0; i < DESTINATIONS; i++)
			remembered += fell_back_s[i] >= 0 && now_s - fell_back_s[i] < 100;
		assert_int_equal(tcp_only_count(memory, &never_retry, now_s).remembered,
				 remembered);
	}
	assert_true(remembered > 0);
}

static void any_order_of_events(void **state)
{
	compare_with_list(*state, 1);
}

static void any_order_of_events_in_two_chains(void **state)
{
	hash_mask = 1;
	compare_with_list(*state, 2);
}

static void any_order_of_events_in_one_chain(void **state)
{
	hash_mask = 0;
	compare_with_list(*state, 3);
}

/* Who chooses destinations cannot choose their chains: they depend on a secret of each table, and
 * neighbours are spread. */
static void hostile_destinations_are_spread(void **state)
{
	struct tcp_only *second = tcp_only_open();
	const union address any = numbered(0);
	uint8_t first_key[crypto_shorthash_KEYBYTES];
	unsigned int lengths[BOUND] = {0};

	assert_non_null(second);
	assert_false(tcp_only_choose(second, &any, &rules, 1));
	memcpy(first_key, hash_key, sizeof(first_key));
	tcp_only_close(second);
	assert_false(tcp_only_choose(*state, &any, &rules, 1));
	assert_memory_not_equal(first_key, hash_key, sizeof(first_key));

	/* Of as many as there are chains, more than 20 in one is less likely than 1 in 10^15. */
	for (uint32_t i = 0; i < BOUND; i++) {
		const union address address = numbered(i);

		tcp_only_choose(*state, &address, &rules, 1);
		assert_true(++lengths[hash_last % BOUND] <= 20);
	}
}

static void closing_none_is_fine(void **state)
{
	(void)state;
	tcp_only_close(NULL);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, open_memory, close_memory)

/* As for what comes through auto-bypass: a while after the last fallback, every dial is a trial. */
static void a_sample_is_tried(void **state)
{
	const struct tcp_only_config samples = {
		.expiry_s = 100, .retry = 1000, .sample_after_s = 2};
	const union address address = address_of("192.0.2.1:80");
	struct tcp_only *memory = *state;

	assert_true(tcp_only_note(memory, &address, TRANSPORT_FALLBACK, 10));
	assert_true(tcp_only_choose(memory, &address, &samples, 10));
	assert_true(tcp_only_choose(memory, &address, &samples, 11.9));
	assert_false(tcp_only_choose(memory, &address, &samples, 12));
	assert_false(tcp_only_choose(memory, &address, &samples, 12.1));
	assert_true(tcp_only_note(memory, &address, TRANSPORT_FALLBACK, 12.2));
	assert_true(tcp_only_choose(memory, &address, &samples, 13));
	assert_true(tcp_only_note(memory, &address, TRANSPORT_MPTCP, 15));
	assert_false(tcp_only_note(memory, &address, TRANSPORT_MPTCP, 15));
	assert_false(tcp_only_note(memory, &address, TRANSPORT_TCP, 15));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(only_a_fallback_is_remembered),
		TEST(each_address_and_port_is_its_own),
		TEST(one_in_so_many_tries_mptcp),
		TEST(what_learnt_mptcp_is_forgotten_at_once),
		TEST(it_expires),
		TEST(the_oldest_makes_room),
		TEST(any_order_of_events),
		TEST(any_order_of_events_in_two_chains),
		TEST(any_order_of_events_in_one_chain),
		TEST(hostile_destinations_are_spread),
		TEST(a_sample_is_tried),
		cmocka_unit_test(closing_none_is_fine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
