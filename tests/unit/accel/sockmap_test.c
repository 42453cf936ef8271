/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sockmap.c: what it does when the kernel refuses, pins, and that the program needs nothing of the
 * kernel's BTF. */
#include "sockmap_fixture.h"

#include <dirent.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "accel/sockmap_flow.h"
#include "accel/sockmap_probe.h"
#include "sockmap.skel.h"

#define SLOTS 16

/* Kinds of attachments that the kernel does not know. */
static const enum bpf_attach_type *refused_types;
static size_t refused_count;

int __wrap_bpf_prog_attach(int program, int to, enum bpf_attach_type type, unsigned int flags);
int __real_bpf_prog_attach(int program, int to, enum bpf_attach_type type, unsigned int flags);

int __wrap_bpf_prog_attach(int program, int to, enum bpf_attach_type type, unsigned int flags)
{
	for (size_t i = 0; i < refused_count; i++) {
		if (type == refused_types[i]) {
			errno = EOPNOTSUPP;
			return -EOPNOTSUPP;
		}
	}
	return __real_bpf_prog_attach(program, to, type, flags);
}

static const struct sockmap_options plain = {
	.workers = 2, .slots = SLOTS, .budget_bytes = FIXTURE_BUDGET_BYTES};

static struct sockmap *open_with(const struct sockmap_options *options)
{
	struct sockmap *sockmap = sockmap_open(options);

	assert_non_null(sockmap);
	sockmap_probe(sockmap);
	for (int i = 0; i < SOCKMAP_FEATURE_COUNT; i++) {
		const struct feature_state *state = sockmap_feature(sockmap, i);

		assert_true(strlen(state->name) > 2);
		assert_int_equal(state->available, state->reason[0] == '\0');
	}
	return sockmap;
}

static void skip_if_refused(void)
{
	struct sockmap *sockmap = open_with(&plain);
	const char *reason = fixture_refused(sockmap);

	if (reason)
		print_message("SKIP: %s\n", reason);
	sockmap_close(sockmap);
	if (reason)
		skip();
}

static void assert_off(struct sockmap *sockmap)
{
	assert_false(sockmap_feature(sockmap, SOCKMAP_PROGRAM)->available);
	assert_false(sockmap_feature(sockmap, SOCKMAP_TCP)->available);
	assert_false(sockmap_feature(sockmap, SOCKMAP_MPTCP)->available);
	assert_false(sockmap_feature(sockmap, SOCKMAP_PINS)->available);
	assert_null(sockmap_worker(sockmap, 0));
	assert_null(sockmap_worker(sockmap, 1));
}

/* Open files of this process. */
static unsigned int count_fds(void)
{
	DIR *directory = opendir("/proc/self/fd");
	unsigned int count = 0;

	assert_non_null(directory);
	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

static void test_works(void **state)
{
	struct sockmap *sockmap;
	unsigned int fds;

	(void)state;
	skip_if_refused();
	fds = count_fds();
	sockmap = open_with(&plain);
	assert_true(sockmap_feature(sockmap, SOCKMAP_PROGRAM)->available);
	assert_string_equal(sockmap_feature(sockmap, SOCKMAP_TCP)->reason, "");
	assert_string_equal(sockmap_feature(sockmap, SOCKMAP_PINS)->reason, "switched off");
	assert_non_null(sockmap_worker(sockmap, 0));
	assert_non_null(sockmap_worker(sockmap, 1));
	assert_ptr_not_equal(sockmap_worker(sockmap, 0), sockmap_worker(sockmap, 1));
	assert_true(sockmap_event_fd(sockmap_worker(sockmap, 1)) >= 0);
	sockmap_close(sockmap);
	assert_int_equal(count_fds(), fds);
	sockmap_close(NULL);
}

/* Whether it has moved bytes, where some kinds of attachments are refused. */
static bool works_without(const enum bpf_attach_type *types, size_t count)
{
	struct sockmap *sockmap;
	bool works;

	refused_types = types;
	refused_count = count;
	sockmap = open_with(&plain);
	refused_count = 0;
	works = sockmap_feature(sockmap, SOCKMAP_TCP)->available;
	if (!works) {
		assert_off(sockmap);
		assert_string_equal(sockmap_feature(sockmap, SOCKMAP_PROGRAM)->reason,
				    "the kernel does not attach the program to a sockmap: "
				    "Operation not supported");
	}
	sockmap_close(sockmap);
	return works;
}

/* What takes a parser of a stream is refused without CONFIG_BPF_STREAM_PARSER; what does not, by
 * kernels that only know the older name of it. */
static void test_without_a_kind_of_attachment(void **state)
{
	static const enum bpf_attach_type parsers[] = {BPF_SK_SKB_STREAM_PARSER,
						       BPF_SK_SKB_STREAM_VERDICT};
	static const enum bpf_attach_type newer[] = {BPF_SK_SKB_VERDICT};
	static const enum bpf_attach_type all[] = {BPF_SK_SKB_STREAM_PARSER,
						   BPF_SK_SKB_STREAM_VERDICT, BPF_SK_SKB_VERDICT};

	(void)state;
	skip_if_refused();
	assert_true(works_without(parsers, 2));
	assert_true(works_without(newer, 1));
	assert_false(works_without(all, 3));
}

static void test_simulated_refusal(void **state)
{
	struct sockmap_options options = plain;
	unsigned int fds = count_fds();
	struct sockmap *sockmap;

	(void)state;
	skip_if_refused();
	options.simulate_refusal = true;
	options.pin_path = "/tmp";
	sockmap = open_with(&options);
	assert_off(sockmap);
	assert_non_null(strstr(sockmap_feature(sockmap, SOCKMAP_PROGRAM)->reason, "does not load"));
	sockmap_close(sockmap);
	assert_int_equal(count_fds(), fds);
}

/* Runs check in a child whose mounts are its own. */
static void in_child(void (*check)(void))
{
	pid_t child = fork();
	int status = 0;

	assert_true(child >= 0);
	if (child == 0) {
		check();
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/* In a child cmocka cannot jump back to the runner. */
#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			print_error("%d: %s\n", __LINE__, #condition);                             \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)

static void check_unprivileged(void)
{
	struct sockmap *sockmap;

	CHECK(setgid(65534) == 0 && setuid(65534) == 0);
	sockmap = sockmap_open(&plain);
	CHECK(sockmap);
	CHECK(!sockmap_feature(sockmap, SOCKMAP_PROGRAM)->available);
	CHECK(!sockmap_worker(sockmap, 0));
	CHECK(strstr(sockmap_feature(sockmap, SOCKMAP_PROGRAM)->reason, "not permitted"));
	sockmap_close(sockmap);
}

static void test_unprivileged(void **state)
{
	(void)state;
	skip_if_refused();
	in_child(check_unprivileged);
}

static void own_mounts(void)
{
	CHECK(unshare(CLONE_NEWNS) == 0);
	CHECK(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
}

static void check_without_btf(void)
{
	struct stat st;
	struct sockmap *sockmap;

	own_mounts();
	if (stat("/sys/kernel/btf/vmlinux", &st) == 0) {
		CHECK(mount("none", "/sys/kernel/btf", "tmpfs", 0, NULL) == 0);
		CHECK(stat("/sys/kernel/btf/vmlinux", &st) != 0);
	}
	sockmap = sockmap_open(&plain);
	CHECK(sockmap);
	sockmap_probe(sockmap);
	CHECK(sockmap_feature(sockmap, SOCKMAP_TCP)->available);
	sockmap_close(sockmap);
}

static void test_loads_without_btf(void **state)
{
	(void)state;
	skip_if_refused();
	in_child(check_without_btf);
}

/* Hiding a file does not take BTF from the kernel. So: the program calls nothing that would make
 * the kernel look into its BTF. */
static void test_calls_only_plain_helpers(void **state)
{
	(void)state;
	static const int plain_helpers[] = {BPF_FUNC_map_lookup_elem, BPF_FUNC_get_socket_cookie,
					    BPF_FUNC_sk_redirect_map, BPF_FUNC_ringbuf_output,
					    BPF_FUNC_skb_adjust_room};
	struct sockmap_bpf *skeleton = sockmap_bpf__open();
	const struct bpf_insn *insns;
	size_t calls = 0;

	assert_non_null(skeleton);
	insns = bpf_program__insns(skeleton->progs.hawser_sockmap);
	for (size_t i = 0; i < bpf_program__insn_cnt(skeleton->progs.hawser_sockmap); i++) {
		bool known = false;

		if (insns[i].code != (BPF_JMP | BPF_CALL))
			continue;
		calls++;
		assert_int_equal(insns[i].src_reg, 0);
		for (size_t j = 0; j < sizeof(plain_helpers) / sizeof(plain_helpers[0]); j++)
			known = known || insns[i].imm == plain_helpers[j];
		assert_true(known);
	}
	assert_true(calls >= 5);
	sockmap_bpf__destroy(skeleton);
}

#define BPFFS "/tmp/hawser-bpffs"
#define PINS  BPFFS "/hawser"

static const char *const pins[] = {PINS "/flows", PINS "/slots", PINS "/sources", PINS "/targets"};

static uint32_t pinned_id(const char *path)
{
	struct bpf_map_info info = {0};
	uint32_t len = sizeof(info);
	int fd = bpf_obj_get(path);

	if (fd < 0)
		return 0;
	CHECK(bpf_obj_get_info_by_fd(fd, &info, &len) == 0);
	close(fd);
	return info.id;
}

static struct sockmap *open_pinned(const char *path)
{
	struct sockmap_options options = plain;
	struct sockmap *sockmap;

	options.pin_path = path;
	sockmap = sockmap_open(&options);
	CHECK(sockmap);
	sockmap_probe(sockmap);
	CHECK(sockmap_feature(sockmap, SOCKMAP_TCP)->available);
	return sockmap;
}

static void mount_bpffs(void)
{
	own_mounts();
	/* Another copy of this test may be at the same place in its own. */
	CHECK(mount("none", "/tmp", "tmpfs", 0, NULL) == 0);
	CHECK(mkdir(BPFFS, 0700) == 0);
	CHECK(mount("none", BPFFS, "bpf", 0, NULL) == 0);
}

static void check_pins(void)
{
	struct sockmap *first;
	struct sockmap *second;
	uint32_t ids[4];
	struct stat st;

	mount_bpffs();
	first = open_pinned(PINS);
	CHECK(sockmap_feature(first, SOCKMAP_PINS)->available);
	for (int i = 0; i < 4; i++) {
		ids[i] = pinned_id(pins[i]);
		CHECK(ids[i] != 0);
	}
	/* As after a crash: the pins of the first are stale to the second. */
	second = open_pinned(PINS);
	CHECK(sockmap_feature(second, SOCKMAP_PINS)->available);
	for (int i = 0; i < 4; i++)
		CHECK(pinned_id(pins[i]) != 0 && pinned_id(pins[i]) != ids[i]);
	/* And not the first's to remove. */
	sockmap_close(first);
	for (int i = 0; i < 4; i++)
		CHECK(pinned_id(pins[i]) != 0);
	sockmap_close(second);
	for (int i = 0; i < 4; i++)
		CHECK(pinned_id(pins[i]) == 0);
	CHECK(stat(PINS, &st) != 0);
}

static void test_pins(void **state)
{
	(void)state;
	skip_if_refused();
	in_child(check_pins);
	rmdir(BPFFS);
}

static void check_pins_refused(void)
{
	struct sockmap *sockmap;
	struct stat st;

	own_mounts();
	sockmap = open_pinned("/tmp/hawser-no-bpffs");
	CHECK(!sockmap_feature(sockmap, SOCKMAP_PINS)->available);
	CHECK(strstr(sockmap_feature(sockmap, SOCKMAP_PINS)->reason, "mount -t bpf"));
	CHECK(sockmap_feature(sockmap, SOCKMAP_TCP)->available);
	sockmap_close(sockmap);
	CHECK(stat("/tmp/hawser-no-bpffs", &st) != 0);
	sockmap = open_pinned("/nowhere/at/all");
	CHECK(!sockmap_feature(sockmap, SOCKMAP_PINS)->available);
	CHECK(strstr(sockmap_feature(sockmap, SOCKMAP_PINS)->reason, "No such file"));
	sockmap_close(sockmap);
}

static void test_pins_refused(void **state)
{
	(void)state;
	skip_if_refused();
	in_child(check_pins_refused);
}

static const char *bpftool_path(void)
{
	static const char *const paths[] = {"/usr/sbin/bpftool", "/usr/bin/bpftool",
					    "/usr/local/sbin/bpftool"};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		if (access(paths[i], X_OK) == 0)
			return paths[i];
	return NULL;
}

/* Fills out with what bpftool prints of a pinned map. */
static void bpftool_dump(const char *path, char *out, size_t size)
{
	int fds[2];
	size_t len = 0;
	ssize_t n;
	pid_t child;

	CHECK(pipe(fds) == 0);
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		dup2(fds[1], STDOUT_FILENO);
		execl(bpftool_path(), "bpftool", "map", "dump", "pinned", path, (char *)NULL);
		_exit(127);
	}
	close(fds[1]);
	while ((n = read(fds[0], out + len, size - 1 - len)) > 0)
		len += (size_t)n;
	out[len] = '\0';
	close(fds[0]);
	CHECK(waitpid(child, NULL, 0) == child);
}

static void check_dump(void)
{
	static const char *const fields[] = {
		"\"session\": 4711",
		"\"direction\": \"HAWSER_DOWN\"",
		"\"mode\": \"HAWSER_PASS\"",
		"\"redirected\": 500",
		"\"passed\": 300",
		"\"granted\": 262144",
		"\"entries\": 1",
		"\"exits\": 1",
	};
	static char dump[256 * 1024];
	struct sockmap *sockmap;
	struct sockmap_flow flow = {0};
	struct sockmap_flow up = {0};
	int in[2];
	int out[2];

	mount_bpffs();
	sockmap = open_pinned(PINS);
	CHECK(fixture_connect(IPPROTO_TCP, &in[0], &in[1]));
	CHECK(fixture_connect(IPPROTO_TCP, &out[0], &out[1]));
	CHECK(sockmap_flow_prepare(&up, &flow, sockmap_worker(sockmap, 0), out[0], in[0], 4711) ==
	      0);
	CHECK(sockmap_flow_enter(&flow) == 0);
	fixture_send(in[1], 500, 0, 1);
	fixture_expect(out[1], 500, 0, 1);
	while (!sockmap_flow_leave(&flow))
		fixture_sleep_us(1000);
	fixture_send(in[1], 300, 0, 1);
	CHECK(fixture_wait(in[0], POLLIN, FIXTURE_DEADLINE_MS));
	bpftool_dump(PINS "/flows", dump, sizeof(dump));
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (!strstr(dump, fields[i]))
			print_error("missing: %s\n", fields[i]);
		CHECK(strstr(dump, fields[i]));
	}
	sockmap_flow_release(&flow);
	sockmap_close(sockmap);
}

static void test_dump_reads_like_a_table(void **state)
{
	(void)state;
	skip_if_refused();
	if (!bpftool_path()) {
		print_message("SKIP: no bpftool\n");
		skip();
	}
	in_child(check_dump);
	rmdir(BPFFS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_works),
		cmocka_unit_test(test_without_a_kind_of_attachment),
		cmocka_unit_test(test_simulated_refusal),
		cmocka_unit_test(test_unprivileged),
		cmocka_unit_test(test_loads_without_btf),
		cmocka_unit_test(test_calls_only_plain_helpers),
		cmocka_unit_test(test_pins),
		cmocka_unit_test(test_pins_refused),
		cmocka_unit_test(test_dump_reads_like_a_table),
	};

	return cmocka_run_group_tests_name("accel", tests, NULL, NULL);
}
