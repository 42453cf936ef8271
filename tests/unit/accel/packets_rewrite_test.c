/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The program bpf/packets.bpf.c over packets of all layouts, against a model that makes each
 * expected packet anew and sums all of it up. */
#include "packets_fixture.h"

#define FRAME_MIN 60

static void show(const char *what, const uint8_t *frame, size_t len)
{
	printf("%s (%zu):", what, len);
	for (size_t i = 0; i < len && i < 120; i++)
		printf(" %02x", frame[i]);
	printf("\n");
}

static void case_run(unsigned int number)
{
	const bool ipv6 = dice(2);
	const uint32_t leg = dice(2);
	struct hawser_packets_pair pair;
	struct content content;
	uint8_t got[PACKET_MAX + 64];
	uint8_t want[PACKET_MAX];
	size_t got_len;
	size_t want_len;
	int result;
	bool spoilt = dice(8) == 0;

	pair_make(&pair, ipv6, HAWSER_PACKETS_TAKEN);
	content_make(&content, &pair.legs[leg], &pair.legs[!leg], ipv6);
	pair_store(&pair);
	got_len = frame_make(&content, got);
	/* As cards fill up what is short. */
	if (got_len < FRAME_MIN && dice(2))
		got_len = FRAME_MIN;
	/* What the wire has spoilt must not be made good. */
	if (spoilt)
		got[ETH_HLEN + (ipv6 ? 40 : 20) + 17] ^= 1U << dice(8);
	result = program_run(got, &got_len);
	content_expect(&content, &pair.legs[leg], &pair.legs[!leg]);
	want_len = frame_make(&content, want);
	if (spoilt && memcmp(got, want, want_len) != 0) {
		/* All but the checksum. */
		size_t at = ETH_HLEN + (ipv6 ? 40 : 20) + 16;

		memcpy(got + at, want + at, 2);
	} else {
		assert_false(spoilt);
	}
	if (result != REDIRECT || got_len != want_len || memcmp(got, want, want_len) != 0) {
		printf("case %u: result %d\n", number, result);
		show("got ", got, got_len);
		show("want", want, want_len);
		fail();
	}
}

static void every_layout_is_rewritten(void **state)
{
	const char *only = getenv("ONLY");

	(void)state;
	skip_if_refused();
	if (only) {
		seed = (unsigned int)strtoul(only, NULL, 10);
		case_run(seed);
		return;
	}
	for (unsigned int i = 1; i <= CASES; i++) {
		seed = i;
		case_run(i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_layout_is_rewritten),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
