/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who gets in at an exit: window, replays, limits, accounts over reloads, and who fails often. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>
#include <sodium.h>

#include "auth/gate.h"
#include "shared/auth_penalty.h"
#include "shared/token_state.h"

#define NOW 1700000000000

static struct replay_window *replay;
static struct gate *gate;
static struct hop_order order;

static enum replay_verdict check(uint64_t time_ms, uint32_t nonce)
{
	uint8_t bytes[HOP_NONCE_BYTES] = {0};

	/* Few chains, so that they are long. */
	bytes[0] = (uint8_t)(nonce & 3);
	memcpy(bytes + 8, &nonce, sizeof(nonce));
	return replay_window_check(replay, time_ms, bytes, NOW);
}

static int replay_window_setup(void **state)
{
	(void)state;
	replay = replay_window_open(NOW - REPLAY_PAST_MS - 10);
	return replay ? 0 : -1;
}

static int replay_window_teardown(void **state)
{
	(void)state;
	replay_window_close(replay);
	return 0;
}

static void once_is_fresh(void **state)
{
	(void)state;
	assert_int_equal(check(NOW, 1), REPLAY_FRESH);
	assert_int_equal(check(NOW, 1), REPLAY_SEEN);
	/* Nobody but the sender can stamp it anew, but it would be seen, too. */
	assert_int_equal(check(NOW + 1, 1), REPLAY_SEEN);
	assert_int_equal(check(NOW, 2), REPLAY_FRESH);
}

static void the_window_has_two_ends(void **state)
{
	(void)state;
	assert_int_equal(check(NOW - REPLAY_PAST_MS - 1, 1), REPLAY_TIME);
	assert_int_equal(check(NOW + REPLAY_AHEAD_MS + 1, 2), REPLAY_TIME);
	assert_int_equal(check(0, 3), REPLAY_TIME);
	assert_int_equal(check(UINT64_MAX, 4), REPLAY_TIME);
	assert_int_equal(check(UINT64_MAX - REPLAY_PAST_MS, 5), REPLAY_TIME);
	assert_int_equal(check(NOW - REPLAY_PAST_MS, 1), REPLAY_FRESH);
	assert_int_equal(check(NOW + REPLAY_AHEAD_MS, 2), REPLAY_FRESH);
}

static void nothing_before_the_start_is_taken(void **state)
{
	(void)state;
	replay_window_close(replay);
	replay = replay_window_open(NOW - 100);
	assert_int_equal(check(NOW - 100, 1), REPLAY_TIME);
	assert_int_equal(check(NOW - 99, 1), REPLAY_FRESH);
}

/* Forgetting never makes a replay possible. */
static void a_full_memory_takes_no_replay(void **state)
{
	(void)state;
	for (uint32_t round = 0; round < 3; round++)
		for (uint32_t i = 0; i < REPLAY_NONCES_MAX; i++)
			assert_int_equal(
				check(NOW + UINT64_C(1000) * round + i / 16, round << 16 | i),
				REPLAY_FRESH);
	for (uint32_t round = 0; round < 3; round++)
		for (uint32_t i = 0; i < REPLAY_NONCES_MAX; i++)
			assert_int_not_equal(
				check(NOW + UINT64_C(1000) * round + i / 16, round << 16 | i),
				REPLAY_FRESH);
	assert_int_equal(check(NOW + 3000, 1), REPLAY_FRESH);
}

static struct gate *gate_with(const char *const *names, size_t count)
{
	struct gate *made = calloc(1, sizeof(*made));

	made->tokens.token = calloc(count, sizeof(*made->tokens.token));
	made->tokens.count = count;
	for (size_t i = 0; i < count; i++) {
		memcpy(made->tokens.token[i].name, names[i], strlen(names[i]));
		memset(made->tokens.token[i].key, names[i][0], TOKEN_KEY_BYTES);
	}
	return made;
}

static int gate_setup(void **state)
{
	(void)state;
	gate = gate_with((const char *const[]){"alice", "bob"}, 2);
	order = (struct hop_order){
		.token = &gate->tokens.token[0], .exit_name = "vps", .time_ms = NOW + 1};
	return gates_adopt(&gate, 1, NULL, 0, NOW);
}

static int gate_teardown(void **state)
{
	(void)state;
	gate_free(gate);
	return 0;
}

static const char *why; /* the last one was refused */

static enum hop_status admit(struct gate *at, const struct token **token)
{
	uint8_t head[HOP_HEAD_MAX], answer[2 + HOP_ANSWER_BYTES] = {5, HOP_METHOD};
	size_t len = hop_head_write(head, &order);
	struct hop_answers answers;
	struct hop_auth auth;
	const struct token *admitted;
	enum hop_status status;
	int size = hop_auth_size(head + 3, len - 3);

	order.nonce[0]++;
	assert_true(size > 0);
	hop_auth_read(head + 3, (size_t)size, &auth);
	status = gate_admit(at, &auth, head + 3 + size, len - 3 - (size_t)size, NOW + 2, &admitted,
			    answer + 2, &why);
	assert_int_equal(admitted != NULL, status == HOP_ACCEPTED);
	/* The router understands it. */
	order.nonce[0]--;
	hop_answers_init(&answers, &order);
	hop_answers_read(&answers, answer);
	assert_int_not_equal(hop_answers_read(&answers, answer + 2), HOP_EVENT_INVALID);
	assert_int_equal(answers.status, status);
	order.nonce[0]++;
	if (token)
		*token = admitted;
	else if (admitted)
		token_state_end(admitted->token_state);
	return status;
}

static void a_token_gets_in(void **state)
{
	const struct token *token;

	(void)state;
	assert_int_equal(admit(gate, &token), HOP_ACCEPTED);
	assert_ptr_equal(token, &gate->tokens.token[0]);
	assert_int_equal(token_state_sessions(token->token_state), 1);
	token_state_end(token->token_state);
	assert_int_equal(token_state_sessions(token->token_state), 0);
	order.nonce[0]--;
	assert_int_equal(admit(gate, NULL), HOP_REFUSED);
	assert_string_equal(why, "seen before: recorded and sent again");
	order.time_ms = NOW;
	assert_int_equal(admit(gate, NULL), HOP_CLOCK);
}

static void others_do_not(void **state)
{
	struct token stranger = gate->tokens.token[0];
	struct token nobody = {.name = "carol"};

	(void)state;
	stranger.key[0] ^= 1;
	order.token = &stranger;
	assert_int_equal(admit(gate, NULL), HOP_REFUSED);
	assert_string_equal(why, "wrong key");
	/* The key that stands in for a token that is not there opens nothing. */
	order.token = &nobody;
	assert_int_equal(admit(gate, NULL), HOP_REFUSED);
	assert_string_equal(why, "no such token");
}

static void an_exit_may_want_its_name(void **state)
{
	(void)state;
	gate->exit_name = strdup("vps2");
	assert_int_equal(admit(gate, NULL), HOP_REFUSED);
	assert_string_equal(why, "meant for an exit of another name");
	order.exit_name = "vps2";
	assert_int_equal(admit(gate, NULL), HOP_ACCEPTED);
	order.exit_name = "vps22";
	assert_int_equal(admit(gate, NULL), HOP_REFUSED);
}

static void sessions_are_limited_by_token(void **state)
{
	const struct token *first;

	(void)state;
	gate->tokens.token[0].sessions_max = 1;
	assert_int_equal(admit(gate, &first), HOP_ACCEPTED);
	assert_int_equal(admit(gate, NULL), HOP_BUSY);
	order.token = &gate->tokens.token[1];
	assert_int_equal(admit(gate, NULL), HOP_ACCEPTED);
	token_state_end(first->token_state);
	order.token = &gate->tokens.token[0];
	assert_int_equal(admit(gate, NULL), HOP_ACCEPTED);
}

static void an_account_outlives_a_reload(void **state)
{
	struct gate *new = gate_with((const char *const[]){"bob", "carol"}, 2);
	struct token_state *alice = token_state_get(gate->tokens.token[0].token_state);
	struct token_state *bob = gate->tokens.token[1].token_state;

	(void)state;
	order.token = &gate->tokens.token[1];
	assert_int_equal(admit(gate, NULL), HOP_ACCEPTED);
	assert_int_equal(gates_adopt(&new, 1, &gate, 1, NOW), 0);
	assert_ptr_equal(new->tokens.token[0].token_state, bob);
	assert_false(token_state_is_revoked(alice));
	gates_revoke(&new, 1, &gate, 1);
	assert_true(token_state_is_revoked(alice));
	assert_false(token_state_is_revoked(bob));
	/* Also where the old configuration is still in use. */
	order.token = &gate->tokens.token[0];
	assert_int_equal(admit(gate, NULL), HOP_REFUSED);
	order.nonce[0]--;
	gate_free(gate);
	gate = new;
	/* It knows what was there before. */
	order.token = &new->tokens.token[0];
	order.nonce[0]--;
	assert_int_equal(admit(gate, NULL), HOP_REFUSED);
	order.token = &new->tokens.token[1];
	assert_int_equal(admit(gate, NULL), HOP_ACCEPTED);
	token_state_put(alice);
}

/* Another key is another token, whatever its name. */
static void a_new_key_revokes_the_old(void **state)
{
	struct gate *new = gate_with((const char *const[]){"alice", "bob"}, 2);
	struct token_state *alice = token_state_get(gate->tokens.token[0].token_state);

	(void)state;
	new->tokens.token[0].key[5] ^= 1;
	assert_int_equal(gates_adopt(&new, 1, &gate, 1, NOW), 0);
	gates_revoke(&new, 1, &gate, 1);
	assert_true(token_state_is_revoked(alice));
	assert_ptr_not_equal(new->tokens.token[0].token_state, alice);
	token_state_put(alice);
	gate_free(new);
}

static bool told; /* of the last one */

static double note(struct auth_penalty *penalty, const char *address, double now_s)
{
	union address parsed;

	assert_int_equal(address_parse(address, &parsed), 0);
	return auth_penalty_note(penalty, &parsed, now_s, &told);
}

static void who_fails_often_waits_longer(void **state)
{
	struct auth_penalty *penalty = auth_penalty_open();
	double before = 0;

	(void)state;
	for (int i = 0; i < 10; i++) {
		double delay = note(penalty, "192.0.2.1:1000", i);

		assert_true(delay >= before && delay <= AUTH_PENALTY_DELAY_MAX_S);
		before = delay;
	}
	assert_true(before == AUTH_PENALTY_DELAY_MAX_S);
	assert_true(note(penalty, "192.0.2.2:1000", 10) < 0.2);
	/* One household, many addresses. */
	assert_true(note(penalty, "[2001:db8::1]:1", 10) < 0.15);
	assert_true(note(penalty, "[2001:db8::ffff:1]:2", 10) > 0.15);
	assert_true(note(penalty, "[2001:db8:0:1::1]:2", 10) < 0.15);
	/* All is forgotten after a minute. */
	assert_true(note(penalty, "192.0.2.1:1000", 100) < 0.2);
	auth_penalty_close(penalty);
}

/* However they come: 20 at once and 10 a second. What is not judged costs nobody else anything. */
static void guesses_are_few(void **state)
{
	struct auth_penalty *penalty = auth_penalty_open();
	union address guesser;
	union address other;
	unsigned int judged = 0;

	(void)state;
	assert_int_equal(address_parse("192.0.2.1:1000", &guesser), 0);
	assert_int_equal(address_parse("192.0.2.2:1000", &other), 0);
	for (int i = 0; i < 45000; i++) {
		judged += failures_may_guess(penalty, &guesser, i / 4500.);
		auth_penalty_note(penalty, &guesser, i / 4500., &told);
	}
	assert_in_range(judged, 20 + 90, 20 + 102);
	assert_true(failures_may_guess(penalty, &other, 10));
	assert_true(failures_may_guess(penalty, &guesser, 10.2));
	auth_penalty_close(penalty);
}

/* Some of each address, some of all, and as many after the next summary. */
static void lines_of_the_log_are_few(void **state)
{
	struct auth_penalty *penalty = auth_penalty_open();
	char address[ADDRESS_TEXT_MAX];
	unsigned int lines = 0;

	(void)state;
	for (int i = 0; i < 50; i++) {
		note(penalty, "192.0.2.1:1000", i / 50.);
		lines += told;
	}
	assert_int_equal(lines, AUTH_PENALTY_LINES);
	note(penalty, "192.0.2.2:1000", 1);
	assert_true(told);
	lines = 0;
	for (int i = 0; i < 60000; i++) {
		snprintf(address, sizeof(address), "10.1.%d.%d:1", i / 250 % 250, i % 250 + 1);
		note(penalty, address, 1);
		lines += told;
	}
	assert_int_equal(lines, AUTH_PENALTY_LINES_MAX - AUTH_PENALTY_LINES - 1);
	auth_penalty_log(penalty);
	note(penalty, "192.0.2.1:1000", 2);
	assert_true(told);
	auth_penalty_close(penalty);
}

static void the_log_has_a_line(void **state)
{
	struct auth_penalty *penalty = auth_penalty_open();
	char line[256] = "";
	int saved = dup(STDERR_FILENO);
	int fd = memfd_create("log", MFD_CLOEXEC);

	(void)state;
	assert_true(saved >= 0 && fd >= 0);
	dup2(fd, STDERR_FILENO);
	auth_penalty_log(penalty);
	for (int i = 0; i < 3; i++)
		note(penalty, "192.0.2.1:1000", i);
	note(penalty, "192.0.2.2:1000", 4);
	auth_penalty_log(penalty);
	auth_penalty_log(penalty);
	dup2(saved, STDERR_FILENO);
	close(saved);
	assert_true(pread(fd, line, sizeof(line) - 1, 0) > 0);
	close(fd);
	assert_string_equal(line, "warning: 4 failed handshakes in the last minute; most, 3, from "
				  "192.0.2.1\n");
	auth_penalty_close(penalty);
}

#define REPLAY(function)                                                                           \
	cmocka_unit_test_setup_teardown(function, replay_window_setup, replay_window_teardown)
#define GATE(function) cmocka_unit_test_setup_teardown(function, gate_setup, gate_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		REPLAY(once_is_fresh),
		REPLAY(the_window_has_two_ends),
		REPLAY(nothing_before_the_start_is_taken),
		REPLAY(a_full_memory_takes_no_replay),
		GATE(a_token_gets_in),
		GATE(others_do_not),
		GATE(an_exit_may_want_its_name),
		GATE(sessions_are_limited_by_token),
		GATE(an_account_outlives_a_reload),
		GATE(a_new_key_revokes_the_old),
		cmocka_unit_test(who_fails_often_waits_longer),
		cmocka_unit_test(guesses_are_few),
		cmocka_unit_test(lines_of_the_log_are_few),
		cmocka_unit_test(the_log_has_a_line),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
