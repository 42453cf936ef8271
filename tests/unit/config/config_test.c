/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a configuration means: every setting from file and option, precedence, reload. */
#include "config_fixture.h"

#include <pthread.h>

static void assert_listen(const struct config *config, size_t i, const char *address,
			  const char *to)
{
	char text[DESTINATION_TEXT_MAX];

	assert_true(i < config->listen_count);
	assert_string_equal(address_format(&config->listen[i].address, text), address);
	assert_int_equal(config->listen[i].forward, to != NULL);
	if (to)
		assert_string_equal(destination_format(&config->listen[i].to, text), to);
}

static void test_defaults(void **state)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct config *config = load(NULL);

	(void)state;
	assert_non_null(config);
	assert_string_equal(fixture_log, "");
	assert_int_equal(config->listen_count, 2);
	assert_listen(config, 0, "127.0.0.1:1080", NULL);
	assert_listen(config, 1, "[::1]:1080", NULL);
	assert_int_equal(config->users.count, 0);
	assert_int_equal(config->allow_count, 0);
	assert_int_equal(config->mptcp, MPTCP_MODE_AUTO);
	assert_int_equal(config->relay.tier, TIER_MODE_AUTO);
	assert_int_equal(config->links.mode, LINKS_LISTED);
	assert_int_equal(config->links.count, 0);
	assert_int_equal(config->congestion, CONGESTION_AUTO);
	assert_string_equal(config->congestion_name, "");
	assert_true(config->tcp_only.expiry_s == 3600 && config->tcp_only.retry == 32);
	assert_int_equal(config->workers, cpus < 2 ? 2 : cpus > 64 ? 64 : cpus);
	assert_true(config->control_is_default);
	assert_true(config->control[0] == '/');
	assert_int_equal(config->log_level, LOG_LEVEL_INFO);
	assert_true(config->timeouts.handshake_s == 10 && config->timeouts.resolve_s == 10);
	assert_true(config->timeouts.connect_s == 30 && config->timeouts.idle_s == 86400);
	assert_true(config->timeouts.half_closed_s == 900 && config->timeouts.drain_s == 30);
	config_put(config);

	/* An empty file and one without listeners change nothing about the listeners. */
	config = load_text("");
	assert_non_null(config);
	assert_int_equal(config->listen_count, 2);
	config_put(config);
	config = load_text("relay { tier = copy }\n");
	assert_non_null(config);
	assert_listen(config, 1, "[::1]:1080", NULL);
	config_put(config);
}

static void assert_ip(const union address *address, const char *expected)
{
	char text[ADDRESS_TEXT_MAX];

	assert_string_equal(address_format_ip(address, text), expected);
}

static void assert_full_links(const struct links_config *links)
{
	assert_int_equal(links->mode, LINKS_AUTO);
	assert_int_equal(links->count, 2);
	assert_string_equal(links->link[0].name, "dsl");
	assert_string_equal(links->link[0].device, "ppp0");
	assert_int_equal(links->link[0].role, LINK_ROLE_PRIMARY);
	assert_int_equal(links->link[0].weight, 3);
	assert_ip(&links->link[0].gateway[IP_V4], "192.0.2.1");
	assert_ip(&links->link[0].gateway[IP_V6], "fe80::1");
	assert_ip(&links->link[0].probe[IP_V4], "198.51.100.1");
	assert_ip(&links->link[0].probe[IP_V6], "2001:db8::1");
	assert_false(links->link[0].no_probe);
	assert_true(links->link[0].no_demote);
	assert_string_equal(links->link[1].name, "lte");
	assert_string_equal(links->link[1].device, "wwan0");
	assert_int_equal(links->link[1].role, LINK_ROLE_METERED);
	assert_int_equal(links->link[1].weight, 1);
	assert_true(links->link[1].quota == 50000000000);
	assert_int_equal(links->link[1].reset_day, 15);
	assert_int_equal(links->link[1].rate.rx, 37500000);
	assert_int_equal(links->link[1].rate.tx, 8001);
	assert_int_equal(links->link[0].quota, 0);
	assert_int_equal(links->link[0].reset_day, 1);
	assert_ip(&links->link[1].gateway[IP_V4], "-");
	assert_ip(&links->link[1].gateway[IP_V6], "-");
	assert_true(links->link[1].no_probe);
	assert_false(links->link[1].no_demote);
}

/* What full_file says. */
static void assert_full(const struct config *config)
{
	assert_non_null(config);
	assert_string_equal(fixture_log, "");
	assert_int_equal(config->workers, 3);
	assert_string_equal(config->control, "/run/hawser/t.sock");
	assert_string_equal(config->state_dir, "/etc/hawser/state");
	assert_false(config->control_is_default);
	assert_int_equal(config->log_level, LOG_LEVEL_DEBUG);
	assert_int_equal(config->listen_count, 2);
	assert_listen(config, 0, "192.168.1.1:1080", NULL);
	assert_listen(config, 1, "[::1]:2525", "mail.example.org:25");
	assert_int_equal(config->allow_count, 2);
	assert_allows(config, "192.168.1.7:1", true);
	assert_allows(config, "192.168.2.7:1", false);
	assert_allows(config, "[fd12::1]:1", true);
	assert_int_equal(config->users.count, 1);
	assert_true(users_check(&config->users, "alice", 5, "secret", 6));
	assert_false(users_check(&config->users, "alice", 5, "secret\n", 7));
	assert_int_equal(config->mptcp, MPTCP_MODE_ON);
	assert_int_equal(config->congestion, CONGESTION_NAMED);
	assert_string_equal(config->congestion_name, "reno");
	assert_true(config->tcp_only.expiry_s == 2.5 && config->tcp_only.retry == 7);
	assert_int_equal(config->relay.tier, TIER_MODE_COPY);
	assert_true(config->timeouts.handshake_s == 1 && config->timeouts.resolve_s == 2.5);
	assert_true(config->timeouts.connect_s == 3 && config->timeouts.idle_s == 0.1);
	assert_true(config->timeouts.half_closed_s == 604800 && config->timeouts.drain_s == 6);
}

static void test_full_file(void **state)
{
	char *text = full_text();
	struct config *config = load_text(text);

	(void)state;
	free(text);
	assert_full(config);
	assert_full_links(&config->links);
	config_put(config);
}

static void test_full_options(void **state)
{
	char user[128];
	struct config *config;

	(void)state;
	snprintf(user, sizeof(user), "alice:%s", fixture_password);
	config = load("--workers=3", "--control=/run/hawser/t.sock", "--log-level=debug",
		      "--state-dir=/etc/hawser/state", "--socks=192.168.1.1:1080",
		      "--forward=[::1]:2525=mail.example.org:25", "--allow=192.168.1.0/24",
		      "--allow=fd00::/8", "--user", user, "--mptcp=on", "--congestion=reno",
		      "--tcp-only-expiry=2.5", "--tcp-only-retry=7", "--tier=copy",
		      "--timeout=handshake=1", "--timeout=resolve=2.5", "--timeout=connect=3",
		      "--timeout=idle=0.1", "--timeout=half-closed=604800", "--timeout=drain=6");
	assert_full(config);
	config_put(config);
}

/* Sizes, rates and times in every kind of setting, by file and by option. */
static void test_units(void **state)
{
	struct config *config = load_text(
		"upstream { exit-answer = 500ms  exit-probe = 2m  tcp-only-expiry = 1h }\n"
		"timeouts { idle = 7d  drain = 1.5m  connect = 30s }\n"
		"link a { device = e0  quota = 20G  rate-down = 20G  rate-up = 64K }\n"
		"relay { tick = 2ms }\n"
		"tune { pump-bytes = 512K  receive-bytes = 8M  tick-max-us = 5ms\n"
		"  chat-backoff-ms = 2s  chat-backoff-max-ms = 1m  keepalive-idle-s = 5m\n"
		"  chat-window-us = 1000 }\n");
	const struct tune *tune;

	(void)state;
	assert_non_null(config);
	assert_true(config->exit_answer_s == 0.5 && config->exit_probe_s == 120);
	assert_true(config->sticky_s == 600);
	assert_true(config->tcp_only.expiry_s == 3600);
	assert_true(config->timeouts.idle_s == 604800 && config->timeouts.drain_s == 90);
	assert_true(config->timeouts.connect_s == 30);
	assert_true(config->links.link[0].quota == 20000000000);
	assert_true(config->links.link[0].rate.rx == 2500000000);
	assert_int_equal(config->links.link[0].rate.tx, 8000);
	assert_int_equal(config->relay.tick.mode, TICK_MODE_FIXED);
	assert_int_equal(config->relay.tick.fixed_us, 2000);
	tune = &config->relay.tune;
	assert_int_equal(tune->pump_bytes, 512000);
	assert_int_equal(tune->receive_bytes, 8000000);
	assert_int_equal(tune->tick_max_us, 5000);
	assert_int_equal(tune->chat_backoff_ms, 2000);
	assert_int_equal(tune->chat_backoff_max_ms, 60000);
	assert_int_equal(tune->keepalive_idle_s, 300);
	assert_int_equal(tune->chat_window_us, 1000);
	config_put(config);

	config = load("--timeout", "idle=1h", "--exit-probe=1m", "--sticky=1h", "--tick=500us",
		      "--tune", "sockmap-bytes=512K", "--tune=keepalive-interval-s=1m");
	assert_non_null(config);
	assert_true(config->timeouts.idle_s == 3600 && config->exit_probe_s == 60);
	assert_true(config->sticky_s == 3600);
	assert_int_equal(config->relay.tick.fixed_us, 500);
	assert_int_equal(config->relay.tune.sockmap_bytes, 512000);
	assert_int_equal(config->relay.tune.keepalive_interval_s, 60);
	config_put(config);

	config = load_text("upstream { sticky = no }\n");
	assert_non_null(config);
	assert_true(config->sticky_s == 0);
	config_put(config);
}

static void test_portal_check(void **state)
{
	struct config *config = load("--socks", "127.0.0.1:1080");

	(void)state;
	assert_non_null(config);
	assert_int_equal(config->portal.mode, PORTAL_AUTO);
	config_put(config);

	config = load("--portal-check", "http://check.test:81/x?y", "--portal-answer",
		      "all is well");
	assert_non_null(config);
	assert_int_equal(config->portal.mode, PORTAL_URL);
	assert_string_equal(config->portal.url, "http://check.test:81/x?y");
	assert_string_equal(config->portal.at.host, "check.test");
	assert_int_equal(config->portal.at.port, 81);
	assert_string_equal(config->portal.answer, "all is well");
	config_put(config);

	config = load("--portal-check", "http://[2001:db8::1]", "--portal-check",
		      "http://192.0.2.1");
	assert_non_null(config);
	assert_string_equal(config->portal.at.host, "");
	assert_int_equal(config->portal.at.address.sa.sa_family, AF_INET);
	assert_int_equal(config->portal.at.port, 80);
	config_put(config);

	config = load("--portal-check", "http://a.test", "--portal-check", "off");
	assert_non_null(config);
	assert_int_equal(config->portal.mode, PORTAL_OFF);
	config_put(config);

	assert_null(load("--portal-answer", "x"));
	assert_non_null(strstr(fixture_log, "portal-answer \"x\""));
	assert_non_null(strstr(fixture_log, "expected portal-check"));
}

static void test_links_by_option(void **state)
{
	struct config *config = load("--links", "manual", "--link", "dsl=ppp0,backup,100", "--link",
				     "lte=wwan0,off", "--link=c=eth1");
	const struct links_config *links = &config->links;

	(void)state;
	assert_non_null(config);
	assert_int_equal(links->mode, LINKS_MANUAL);
	assert_int_equal(links->count, 3);
	assert_string_equal(links->link[0].device, "ppp0");
	assert_int_equal(links->link[0].role, LINK_ROLE_BACKUP);
	assert_int_equal(links->link[0].weight, 100);
	assert_string_equal(links->link[1].device, "wwan0");
	assert_int_equal(links->link[1].role, LINK_ROLE_OFF);
	assert_int_equal(links->link[1].weight, 1);
	assert_string_equal(links->link[2].name, "c");
	assert_int_equal(links->link[2].role, LINK_ROLE_SHARED);
	config_put(config);
}

/* Every choice, as both ways to set it. */
static void test_choices(void **state)
{
	static const char *const mptcp[] = {"auto", "on", "off"};
	static const char *const tier[] = {"auto", "copy", "splice"};
	static const char *const level[] = {"error", "warning", "info", "debug"};
	struct config *config;
	char text[128];

	(void)state;
	for (int i = 0; i < 4; i++) {
		int j = i % 3;

		config = load("--mptcp", mptcp[j], "--tier", tier[j], "--log-level", level[i]);
		assert_non_null(config);
		assert_int_equal(config->mptcp, j);
		assert_string_equal(config_mptcp_name(config->mptcp), mptcp[j]);
		assert_int_equal(config->relay.tier, j);
		assert_int_equal(config->log_level, i);
		config_put(config);

		snprintf(text, sizeof(text),
			 "upstream{mptcp=%s}relay{tier=\"%s\"}daemon{log-level='%s'}", mptcp[j],
			 tier[j], level[i]);
		config = load_text(text);
		assert_non_null(config);
		assert_int_equal(config->mptcp, j);
		assert_int_equal(config->relay.tier, j);
		assert_int_equal(config->log_level, i);
		config_put(config);
	}
	config = load("--congestion", "reno", "--congestion", "system");
	assert_non_null(config);
	assert_int_equal(config->congestion, CONGESTION_SYSTEM);
	config_put(config);
	config = load_text("upstream { congestion = auto }");
	assert_non_null(config);
	assert_int_equal(config->congestion, CONGESTION_AUTO);
	config_put(config);
}

static void test_precedence(void **state)
{
	char *text = full_text();
	struct config *config;
	char user[128];

	(void)state;
	write_conf(text);
	free(text);
	snprintf(user, sizeof(user), "bob:%s", fixture_password);
	/* The file is read first wherever -c stands. */
	config = load("--mptcp=off", "--tier=splice", "--congestion=system", "--workers=64",
		      "--control=/c", "--log-level=error", "--timeout=idle=7",
		      "--socks=127.0.0.1:1", "--forward=127.0.0.1:2=[::1]:3", "--allow=10.0.0.0/8",
		      "--user", user, "-c", fixture_conf, "--check");
	assert_non_null(config);
	assert_int_equal(config->mptcp, MPTCP_MODE_OFF);
	assert_int_equal(config->relay.tier, TIER_MODE_SPLICE);
	assert_int_equal(config->congestion, CONGESTION_SYSTEM);
	assert_int_equal(config->workers, 64);
	assert_string_equal(config->control, "/c");
	assert_int_equal(config->log_level, LOG_LEVEL_ERROR);
	assert_true(config->timeouts.idle_s == 7 && config->timeouts.connect_s == 3);

	/* Lists add up. */
	assert_int_equal(config->listen_count, 4);
	assert_listen(config, 0, "192.168.1.1:1080", NULL);
	assert_listen(config, 2, "127.0.0.1:1", NULL);
	assert_listen(config, 3, "127.0.0.1:2", "[::1]:3");
	assert_int_equal(config->allow_count, 3);
	assert_allows(config, "10.1.2.3:1", true);
	assert_allows(config, "192.168.1.1:1", true);
	assert_int_equal(config->users.count, 2);
	assert_true(users_check(&config->users, "alice", 5, "secret", 6));
	assert_true(users_check(&config->users, "bob", 3, "secret", 6));
	config_put(config);
}

static void test_repeated_sections(void **state)
{
	struct config *config =
		load_text("access { allow = { 10.0.0.0/8 } }\n"
			  "timeouts { idle = 1 }\naccess { allow = fd00::/8 }\n"
			  "timeouts { idle = 2  drain = 3 }\naccess { allow = {} }\n");

	(void)state;
	assert_non_null(config);
	assert_int_equal(config->allow_count, 2);
	assert_true(config->timeouts.idle_s == 2 && config->timeouts.drain_s == 3);
	config_put(config);
}

static struct config *reload(const struct options *options)
{
	int saved;
	int fd = log_capture(&saved);
	struct config *config = config_load(options);

	log_restore(fd, saved);
	return config;
}

static void test_reload(void **state)
{
	const struct options *options;
	struct config *old;
	struct config *new;
	char text[256];

	(void)state;
	snprintf(text, sizeof(text), "relay { tier = copy }\nuser \"u\" { password-file = \"%s\" }",
		 fixture_password);
	write_conf(text);
	options = parse_args((const char *const[]){"--mptcp=on", "-c", fixture_conf, NULL});
	old = reload(options);
	assert_non_null(old);

	/* Each kind of error leaves the next load unharmed. */
	static const char *const bad[] = {
		"relay { tier = \"cop",	 "relay { tier = 'cop",	 "/* x",  "relay { tier = copy",
		"relay { tier = fast }", "relay { tier = \"a\\", "listen"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		write_conf(bad[i]);
		assert_null(reload(options));
		write_bytes(fixture_password, "fresh", 5);
		snprintf(text, sizeof(text),
			 "relay { tier = splice }\nuser \"v\" { password-file = \"%s\" }",
			 fixture_password);
		write_conf(text);
		new = reload(options);
		assert_non_null(new);
		assert_int_equal(new->relay.tier, TIER_MODE_SPLICE);
		assert_int_equal(new->mptcp, MPTCP_MODE_ON);
		assert_int_equal(new->users.count, 1);
		assert_true(users_check(&new->users, "v", 1, "fresh", 5));
		config_put(new);
	}
	assert_int_equal(old->relay.tier, TIER_MODE_COPY);
	assert_true(users_check(&old->users, "u", 1, "secret", 6));
	config_put(old);
	options_free(options);
}

static void *get_and_put(void *context)
{
	const struct config *config = context;

	for (int i = 0; i < 10000; i++)
		config_put(config_get(config));
	config_put(config);
	return NULL;
}

/* AddressSanitizer sees a free too early or never. */
static void test_references(void **state)
{
	struct config *config = load(NULL);
	pthread_t threads[4];

	(void)state;
	assert_non_null(config);
	for (int i = 0; i < 4; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, get_and_put, (void *)config_get(config)),
			0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(atomic_load(&config->references), 1);
	assert_int_equal(config->listen_count, 2);
	config_put(config);
	config_put(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_defaults),	    TEST(test_full_file),    TEST(test_full_options),
		TEST(test_links_by_option), TEST(test_portal_check), TEST(test_units),
		TEST(test_choices),	    TEST(test_precedence),   TEST(test_repeated_sections),
		TEST(test_reload),	    TEST(test_references),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
