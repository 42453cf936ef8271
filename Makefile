# SPDX-License-Identifier: GPL-2.0-or-later
# Thin: what to build and with what. `make help` lists the targets; all output goes to build/.

VERSION := 0.1.0

CC      ?= gcc
PYTHON  ?= /usr/bin/python3
PREFIX  ?= /usr/local
DESTDIR ?=
# Where the control socket, and what survives restarts of the host, are without a setting.
RUN_DIR ?= /run
STATE_DIR ?= /var/lib/hawser
# How often the history of hawser usage is written, for flash; a power cut takes so much.
HISTORY_WRITE_S ?= 1800
SAN     ?= 0
V       ?= 0
# How long the longest torture of `make soak` lasts; all of it, four times as long.
SOAK_SECONDS ?= 600
# Test files that run side by side, also on two cores: they mostly wait.
TEST_JOBS ?= 4
# After so long `make check` ends, and fails.
RUN_SECONDS ?= $(if $(filter 1,$(SAN)),5400,1380)
# One subject's tests, by a part of the files' names (make check) or the program's name (make unit).
T       =
# The Debian of `make check-packages`.
SUITE   ?= bookworm
# Of `make check-kernels`: the newest of these lines that Debian has, or directories as of Debian's packages.
KERNELS ?= 6.1 6.12 6.18 7
# 0: skip the tests that need network namespaces.
NET     ?= 1
# Options of `make demo`, handed to bench/demo.py.
RATE_A  ?= 100
RATE_B  ?= 100
# One way, in ms, and percent.
DELAY_A ?= 0
DELAY_B ?= 0
JITTER_A ?= 0
JITTER_B ?= 0
LOSS_A  ?= 0
LOSS_B  ?= 0
# Or transparent: the client knows of no proxy.
MODE    ?= socks

ifneq ($(CROSS_COMPILE),)
CC := $(CROSS_COMPILE)gcc
AR := $(CROSS_COMPILE)ar
endif

# SAN=1 builds beside the plain build, never over it.
ifeq ($(SAN),1)
BUILD   := build/san
SANFLAGS := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
else
BUILD   := build
SANFLAGS :=
endif

Q := @
ifeq ($(V),1)
Q :=
endif

include bpf/bpf.mk

# 0: without `hawser top`, and so without ncurses.
TOP     ?= 1
WITHOUT += $(if $(filter 0,$(TOP)),user/cli/top.c,user/cli/top_off.c)
# 0: without metrics and the page, and so without libmicrohttpd.
HTTP    ?= 1
WITHOUT += $(if $(filter 0,$(HTTP)),user/http/http_server.c user/web/page.c,user/http/http_server_off.c user/web/page_off.c)
# Of what is compressed in the program: the page, and the BPF objects of a release.
ZLIB    := $(filter-out 00,$(BPF)$(HTTP))
WITHOUT += $(if $(ZLIB),,user/base/packed.c tests/unit/base/packed_test.c)
# libev ships no pkg-config file.
PKGS     := libcares libconfuse json-c libsodium libnftables libnftnl libmnl $(if $(filter 0,$(TOP)),,ncurses) \
	    $(if $(filter 0,$(HTTP)),,libmicrohttpd) $(if $(ZLIB),zlib)
PKG_CONFIG ?= $(CROSS_COMPILE)pkg-config
WARN     := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
CFLAGS   ?= -O2 -g
# Where offsets have 32 bits, stat() fails for files of file systems with larger numbers.
ALL_CFLAGS = -std=gnu11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DHAWSER_VERSION='"$(VERSION)"' \
	     -DHAWSER_RUN_DIR='"$(RUN_DIR)"' -DSTATE_DIR_DEFAULT='"$(STATE_DIR)"' -DHISTORY_WRITE_S=$(HISTORY_WRITE_S) $(WARN) $(WERROR) \
	     $(shell $(PKG_CONFIG) --cflags $(PKGS)) -Iuser -Iinclude -I. $(HAWSER_BPF_CFLAGS) -MMD -MP -pthread \
	     $(CFLAGS) $(SANFLAGS)
ALL_LDFLAGS = $(LDFLAGS) $(SANFLAGS) -pthread -Wl,--as-needed
# Of processors without atomic operations on 64 bits, as 32-bit MIPS.
ATOMIC   = $(if $(findstring __GCC,$(shell echo __GCC_HAVE_SYNC_COMPARE_AND_SWAP_8 | $(CC) -E -P -)),-latomic)
LIBS     = $(shell $(PKG_CONFIG) --libs $(PKGS)) -lev -lm $(HAWSER_BPF_LIBS) $(ATOMIC)

obj = $(patsubst %.c,$(BUILD)/%.o,$(1))
# Everything but the two programs; a program links what it needs of it.
LIB     := $(BUILD)/libhawser.a
LIB_SRCS := $(filter-out $(WITHOUT),$(wildcard user/*/*.c))
UNIT_SRCS := $(filter-out $(WITHOUT),$(wildcard tests/unit/*/*_test.c))
UNIT_BINS := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(UNIT_SRCS))
.SECONDARY:

UNIT_WANTED := $(filter %/$(T)_test,$(UNIT_BINS))

.PHONY: all
all: $(BUILD)/hawserd $(BUILD)/hawser ## build hawserd and hawser

$(LIB): $(call obj,$(LIB_SRCS))
	@echo "  AR      $@"
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/hawserd $(BUILD)/hawser: $(BUILD)/%: $(BUILD)/user/%.o $(LIB)
	@echo "  LD      $@"
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/%.o: %.c Makefile
	@echo "  CC      $@"
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -c -o $@ $<

# Without indents and lines that are comments; compressed, and as numbers for an initializer.
PAGE    := $(BUILD)/page/page.html.inc
$(PAGE): user/web/page.html Makefile
	@mkdir -p $(@D)
	$(Q)sed 's/^\t*//; /^\/\*[^*]*\*\/$$/d' $< | gzip -9nc | od -An -v -tu1 | sed 's/  *\([0-9]\)/,\1/g; 1s/^,//' >$@.tmp && mv $@.tmp $@
$(BUILD)/user/web/page.o: $(PAGE)
$(BUILD)/user/web/page.o: ALL_CFLAGS += -isystem $(dir $(PAGE))

$(BUILD)/unit/%: $(BUILD)/tests/unit/%.o $(LIB)
	@echo "  LD      $@"
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) $(LIB) $(LIBS) -lcmocka

$(BUILD)/unit/testbed/emulator_test: $(call obj,testbed/emulator_packet.c testbed/emulator_path.c testbed/emulator_settings.c)

# Of a build without BPF or libmicrohttpd, in every build.
$(BUILD)/unit/accel/off_test: $(call obj,$(OFF_SRCS))
$(BUILD)/unit/http/http_server_off_test: $(call obj,user/http/http_server_off.c)

# Their fakes stand in for the real functions.
$(BUILD)/unit/relay/tick_policy_test: ALL_LDFLAGS += -Wl,--wrap=socket_rtt_us,--wrap=socket_receive_rtt_us
$(BUILD)/unit/session/session_http_test: ALL_LDFLAGS += -Wl,--wrap=realloc,--wrap=socket_received_bytes
$(BUILD)/unit/relay/relay_end_test: ALL_LDFLAGS += -Wl,--wrap=socket_received_bytes
$(BUILD)/unit/relay/hangup_test: ALL_LDFLAGS += -Wl,--wrap=epoll_ctl
$(BUILD)/unit/relay/relay_pause_test: ALL_LDFLAGS += -Wl,--wrap=stream_send,--wrap=splice
$(BUILD)/unit/daemon/report_test $(BUILD)/unit/daemon/report_sessions_test: ALL_LDFLAGS += -Wl,--wrap=worker_get_stats,--wrap=worker_get_sessions,--wrap=worker_get_session,--wrap=worker_holds
$(BUILD)/unit/daemon/worker_test: ALL_LDFLAGS += -Wl,--wrap=sockmap_worker,--wrap=packets_worker,--wrap=packets_event_fd,--wrap=packets_pair_tidy
$(BUILD)/unit/daemon/heartbeat_test: ALL_LDFLAGS += -Wl,--wrap=nft_set_renew,--wrap=nft_set_delete,--wrap=worker_holds
$(BUILD)/unit/upstream/tcp_only_test: ALL_LDFLAGS += -Wl,--wrap=crypto_shorthash
$(BUILD)/unit/net/socket_reset_test: ALL_LDFLAGS += -Wl,--wrap=setsockopt,--wrap=connect
$(BUILD)/unit/net/mptcp_test: ALL_LDFLAGS += -Wl,--wrap=socket,--wrap=getsockopt
$(BUILD)/unit/net/way_memory_test $(BUILD)/unit/base/log_seldom_test: ALL_LDFLAGS += -Wl,--wrap=clock_monotonic_s
$(BUILD)/unit/net/mptcp_options_test: ALL_LDFLAGS += -Wl,--wrap=setsockopt,--wrap=socket
$(BUILD)/unit/net/splice_probe_test $(BUILD)/unit/relay/tier_splice_test: ALL_LDFLAGS += -Wl,--wrap=splice
$(BUILD)/unit/relay/flow_test $(BUILD)/unit/session/room_watch_test: ALL_LDFLAGS += -Wl,--wrap=kernel_feature
$(BUILD)/unit/accel/sockmap_test: ALL_LDFLAGS += -Wl,--wrap=bpf_prog_attach
$(BUILD)/unit/accel/packets_pair_test: ALL_LDFLAGS += $(addprefix -Xlinker --wrap=,packets_learn \
	packets_enter packets_leave packets_untrack packets_ends_are_clear packets_tell_too_big \
	packets_read_events packets_way_look packets_way_is_known packets_way_rest packets_way_follow tcp_seat_rest tcp_seat_resume \
	tcp_seat_wake tcp_seat_clock tcp_seat_patience_s clock_monotonic_s poller_start poller_stop)
$(BUILD)/unit/accel/packets_device_test: ALL_LDFLAGS += $(addprefix -Xlinker --wrap=,tc_hook_probe \
	tc_hook_look tc_hook_attach tc_hook_detach if_indextoname ioctl)
$(BUILD)/unit/accel/packets_way_test: ALL_LDFLAGS += -Wl,--wrap=packets_device_to,--wrap=packets_attend,--wrap=getsockopt
$(BUILD)/unit/accel/sockmap_pair_test: ALL_LDFLAGS += $(addprefix -Xlinker --wrap=,sockmap_flow_prepare \
	sockmap_flow_enter sockmap_flow_top_up sockmap_flow_redirected sockmap_flow_segments \
	sockmap_flow_release sockmap_read_events poller_start)
$(BUILD)/unit/net/mptcp_blackhole_test: ALL_LDFLAGS += -Wl,--wrap=fopen64
$(BUILD)/unit/names/name_query_test: ALL_LDFLAGS += -Wl,--wrap=ares_init_options,--wrap=ares_destroy,--wrap=ares_getaddrinfo,--wrap=fopen64,--wrap=stat,--wrap=stat64,--wrap=__stat64_time64
$(BUILD)/unit/upstream/exit_memory_test: ALL_LDFLAGS += -Wl,--wrap=text_file_replace
$(BUILD)/unit/base/text_saver_test: ALL_LDFLAGS += -Wl,--wrap=ev_timer_start
$(BUILD)/unit/links/link_tell_test: ALL_LDFLAGS += -Wl,--wrap=on_event_tell
$(BUILD)/unit/links/link_choice_test: ALL_LDFLAGS += -Wl,--wrap=route_find_default
$(BUILD)/unit/auth/egress_policy_test: ALL_LDFLAGS += -Wl,--wrap=route_is_own
$(BUILD)/unit/upstream/own_listener_test: ALL_LDFLAGS += -Wl,--wrap=route_is_own
$(BUILD)/unit/net/subflow_test: ALL_LDFLAGS += -Wl,--wrap=getsockopt,--wrap=ioctl
$(BUILD)/unit/links/link_setup_test $(BUILD)/unit/links/link_room_test: ALL_LDFLAGS += $(foreach f,open close list add delete set_flags cut get_limits set_limits,-Wl,--wrap=mptcp_pm_$f) \
	$(foreach f,link_journal_open link_journal_write link_journal_is_behind link_journal_close mptcp_diag_list route_add route_delete link_rule_add link_rule_delete clock_monotonic_s,-Wl,--wrap=$f)
$(BUILD)/unit/links/link_journal_test: ALL_LDFLAGS += -Wl,--wrap=geteuid
$(BUILD)/unit/upstream/dial_test: ALL_LDFLAGS += -Wl,--wrap=mptcp_socket,--wrap=mptcp_transport \
	-Wl,--wrap=mptcp_tells_fallback,--wrap=mptcp_blackhole_likely,--wrap=route_is_own

-include $(shell find $(BUILD) \( -path '$(BUILD)/cross*' -o -path $(BUILD)/kernels \) -prune -o -name '*.d' -print 2>/dev/null)

.PHONY: setup-run setup-check setup-lint setup-bench setup-cross setup-fresh setup-kernels setup-mesh setup-packages
setup-run setup-check setup-lint setup-bench setup-cross setup-fresh setup-kernels setup-mesh setup-packages: setup-%:
	@sh tests/setup.sh $*

.PHONY: run
run: setup-run ## install what is missing, build, run hawserd in the foreground
	@$(MAKE) --no-print-directory all
	@exec $(BUILD)/hawserd $(ARGS)

TEST_FILES := $(sort $(wildcard tests/test_*.py tests/*/test_*.py))
TESTS = $(strip $(if $(T),$(foreach t,$(TEST_FILES),$(if $(findstring $(T),$(notdir $t)),$t)),tests))
# One file needs no helpers to run it, nor what only others look at; "tests" is many.
TEST_PARTS = $(TORTURE) $(STEPPING_CLOCK) $(SLOW_DISK) $(STATIC_CLIENT) $(EMULATOR) $(BENCH_TOOLS) \
	     $(if $(filter tests %/test_unit.py,$(TESTS)),unit) $(if $(filter tests %/test_fuzz.py,$(TESTS)),fuzz)

.PHONY: check
check: setup-check ## install what is missing, build, run all tests (T=exits: those of such files; SAN=1: with sanitizers)
	$(if $(TESTS),,$(error T=$(T): no test file is called so; there are \
		$(patsubst test_%.py,%,$(notdir $(TEST_FILES)))))
	@$(MAKE) --no-print-directory T= all $(TEST_PARTS)
	@HAWSER_BUILD=$(BUILD) HAWSER_NET=$(NET) HAWSER_RUN_S=$(RUN_SECONDS) $(PYTHON) -m pytest -p no:cacheprovider \
		-n $(if $(filter 1,$(words $(TESTS:tests=many tests))),0,$(TEST_JOBS)) --dist loadfile $(TESTS) $(PYTEST_ARGS)

.PHONY: check-fresh
check-fresh: setup-fresh ## run README's two commands on a fresh, minimal Debian 12 of their own (T=, PYTEST_ARGS=)
	@exec sh tests/fresh.sh

.PHONY: check-cross
check-cross: ## build for other processors and C libraries, and run unit tests there (ARCHS='armhf musl')
	@exec sh tests/cross.sh $(ARCHS)

.PHONY: check-kernels
check-kernels: setup-kernels ## run tests on kernels of Debian in virtual machines (KERNELS="6.1 6.12 7 DIR", T="exits links", RESUME=1)
	@$(MAKE) --no-print-directory T= all unit $(TORTURE) $(STEPPING_CLOCK) $(SLOW_DISK) $(STATIC_CLIENT) $(EMULATOR)
	@exec $(PYTHON) -B tests/kernels/check.py --build $(BUILD) --tests "$(T)" \
		$(if $(filter 1,$(RESUME)),--resume) $(KERNELS)

# Without linking.
.PHONY: compile
compile: $(call obj,$(LIB_SRCS) user/hawserd.c user/hawser.c)

.PHONY: check-packages
check-packages: setup-packages ## build the Debian packages; install, upgrade under load and purge them on machines of their own (SUITE=bookworm)
	@SUITE=$(SUITE) exec sh tests/packages.sh packages

.PHONY: check-container
check-container: setup-packages ## build the container image with buildah, and run it with podman
	@SUITE=$(SUITE) exec sh tests/packages.sh container

.PHONY: check-pods
check-pods: setup-packages ## build the images, and run exit and mesh nodes of deploy/kubernetes as pods with podman
	@SUITE=$(SUITE) exec sh tests/packages.sh pods

.PHONY: unit
unit: $(if $(T),$(UNIT_WANTED),$(UNIT_BINS)) ## build the unit tests (T=dial: build and run tests/unit/*/dial_test.c)
	$(if $(T),$(if $(UNIT_WANTED),,$(error T=$(T): no unit test is called so; there are \
		$(patsubst %_test,%,$(notdir $(UNIT_BINS))))))
	$(if $(T),$(Q)for test in $(UNIT_WANTED); do $$test || exit; done)

# The load of the torture, both ends of it.
TORTURE := $(BUILD)/tests/torture
$(TORTURE): $(call obj,$(wildcard tests/net/lib/torture_load/*.c) user/net/socket_reset.c)
	@echo "  LD      $@"
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^

# Preloaded by tests: a time of day that they set back and forth, and a disk that they slow down. Without sanitizers,
# which come after them.
STEPPING_CLOCK := $(BUILD)/tests/stepping_clock.so
SLOW_DISK := $(BUILD)/tests/slow_disk.so
$(STEPPING_CLOCK): tests/net/lib/stepping_clock/stepping_clock.c
$(SLOW_DISK): tests/net/lib/slow_disk/slow_disk.c
$(STEPPING_CLOCK) $(SLOW_DISK):
	@mkdir -p $(@D)
	@echo "  LD      $@"
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE -O2 -Wall -Wextra -shared -fPIC -o $@ $< -ldl

# A client of `hawser run`. Without sanitizers, which cannot be linked statically.
STATIC_CLIENT := $(BUILD)/tests/static_client
$(STATIC_CLIENT): tests/net/lib/static_client/static_client.c
	@mkdir -p $(@D)
	@echo "  LD      $@"
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE -O2 -Wall -Wextra -static -o $@ $<

# Links with delay and loss, for tests and demo.
EMULATOR := $(BUILD)/testbed/emulator
EMULATOR_OBJS := $(call obj,$(wildcard testbed/*.c))
$(EMULATOR): $(EMULATOR_OBJS)
	@echo "  LD      $@"
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^

# libFuzzer targets, with the parts of hawserd that they feed; clang only.
FUZZ_SRCS := $(wildcard tests/fuzz/*_fuzz.c)
FUZZ_BINS := $(patsubst tests/fuzz/%.c,build/fuzz/%,$(FUZZ_SRCS))
FUZZ_LIB := build/fuzz/libhawser.a
FUZZ_LIB_SRCS := $(filter-out $(BPF_SRCS),$(wildcard $(addsuffix /*.c,$(addprefix user/,auth shared proto base))))
FUZZ_FLAGS = -std=gnu11 -D_GNU_SOURCE $(WARN) $(WERROR) -Iuser -Iinclude -MMD -MP -pthread -O1 -g \
	-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined
.PHONY: fuzz
fuzz: $(FUZZ_BINS) ## build the fuzz targets; `make check` runs them for FUZZ_SECONDS=10 each
build/fuzz/%.o: %.c Makefile
	@echo "  CC      $@"
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(FUZZ_FLAGS) -c -o $@ $<
$(FUZZ_LIB): $(patsubst %.c,build/fuzz/%.o,$(FUZZ_LIB_SRCS))
	@echo "  AR      $@"
	$(Q)rm -f $@ && $(AR) rcs $@ $^
build/fuzz/%: build/fuzz/tests/fuzz/%.o $(FUZZ_LIB)
	@echo "  LD      $@"
	$(Q)$(CLANG) $(FUZZ_FLAGS) -o $@ $^ $(shell $(PKG_CONFIG) --libs libsodium)

.PHONY: soak
soak: setup-check ## 40 minutes of torture, garbage handshakes, links that swallow packets (SOAK_SECONDS=600 SEED=1 SAN=1)
	@$(MAKE) --no-print-directory all $(TORTURE) $(EMULATOR)
	@HAWSER_BUILD=$(BUILD) SOAK_SECONDS=$(SOAK_SECONDS) PYTEST_TIMEOUT=$$((3 * $(SOAK_SECONDS) + 240)) $(PYTHON) -m pytest -p no:cacheprovider \
		-s tests/net/test_exit_load.py tests/net/test_link_swallow.py tests/net/test_torture.py \
		tests/net/test_packets_torture.py \
		$(PYTEST_ARGS)

.PHONY: demo
demo: setup-check ## router and exit, two links: one download over each and over both (RATE_A= DELAY_A= JITTER_A= LOSS_A=, _B, MODE=transparent, MODE=bridge)
	@$(MAKE) --no-print-directory all $(EMULATOR)
	@HAWSER_BUILD=$(BUILD) $(PYTHON) bench/demo.py --rate-a $(RATE_A) --rate-b $(RATE_B) \
		--delay-a $(DELAY_A) --delay-b $(DELAY_B) --jitter-a $(JITTER_A) --jitter-b $(JITTER_B) \
		--loss-a $(LOSS_A) --loss-b $(LOSS_B) --mode $(MODE)

.PHONY: mesh
mesh: setup-mesh ## a mesh with real routing daemons, in which things happen (MESH_ARGS='--topology village --daemon babeld')
	@$(MAKE) --no-print-directory all $(EMULATOR)
	@HAWSER_BUILD=$(BUILD) $(PYTHON) -B mesh/mesh.py --out $(BUILD)/mesh $(MESH_ARGS)

# The benchmark's tools are its own; see bench/bench.py for its options.
MPTCP_LISTEN := $(BUILD)/bench/mptcp_listen.so
BENCH_PROGRAMS := $(BUILD)/bench/load/load $(BUILD)/bench/spin
BENCH_TOOLS := $(BENCH_PROGRAMS) $(MPTCP_LISTEN)
$(BUILD)/bench/load/load: $(call obj,$(wildcard bench/load/*.c))
$(BUILD)/bench/spin: $(BUILD)/bench/spin.o
$(BENCH_PROGRAMS):
	@echo "  LD      $@"
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^

# Preloaded into peers, which have no sanitizers.
$(MPTCP_LISTEN): bench/preload/mptcp_listen.c
	@mkdir -p $(@D)
	@echo "  LD      $@"
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE -O2 -Wall -Wextra -shared -fPIC -fvisibility=hidden -o $@ $< -ldl

# bench-tiers needs no other proxies.
BENCHES := bench bench-full bench-packets bench-tiers
.PHONY: $(BENCHES)
bench: setup-bench ## compare with other proxies and no proxy, 10 minutes (BENCH_ARGS='--rows talk-32x64')
bench-full: setup-bench ## the same at length, some hours; plots and tables in build/bench/full (BENCH_ARGS='--rounds 5')
bench-packets: setup-bench ## forwarded packets, with other proxies and no proxy, 15 minutes (BENCH_ARGS='--rows talk-32x64')
bench-tiers: setup-check ## compare our ways of moving bytes, and no proxy (BENCH_ARGS='--rows chatty')
$(BENCHES):
	@$(MAKE) --no-print-directory all $(BENCH_TOOLS) $(EMULATOR)
	@HAWSER_BUILD=$(BUILD) $(PYTHON) -B bench/bench.py --set $(patsubst bench-%,%,$(@:bench=quick)) $(BENCH_ARGS)

.PHONY: bench-pairs
bench-pairs: setup-check ## what becomes of two unequal links, as a share of their sum (BENCH_ARGS='--pairs far')
	@$(MAKE) --no-print-directory all $(BENCH_TOOLS) $(EMULATOR)
	@HAWSER_BUILD=$(BUILD) $(PYTHON) -B bench/pairs.py $(BENCH_ARGS)

SOURCES = $(wildcard user/*.[ch] user/*/*.[ch] bpf/*.[ch] include/*.h tests/unit/*/*.[ch] tests/net/lib/*/*.[ch] \
	tests/fuzz/*.c testbed/*.[ch] bench/*.[ch] bench/*/*.[ch])
.PHONY: lint format
lint: setup-lint ## check format, clang-tidy, man pages, pages for LuCI, warnings of gcc and clang
	@$(MAKE) --no-print-directory $(BPF_SKELS) $(PAGE)
	@sh tests/lint.sh $(SOURCES)
format: ## reformat the C sources
	@clang-format -i $(SOURCES)

# Where each file goes.
INSTALLED := sbin/hawserd bin/hawser share/man/man1/hawser.1 share/man/man5/hawser.conf.5 share/man/man8/hawserd.8 $(addprefix share/doc/hawser/,$(wildcard examples/*))
.PHONY: install uninstall
install: all ## install to $(DESTDIR)$(PREFIX)
	install -D -m 755 $(BUILD)/hawserd $(DESTDIR)$(PREFIX)/sbin/hawserd
	install -D -m 755 $(BUILD)/hawser $(DESTDIR)$(PREFIX)/bin/hawser
	install -D -m 644 man/hawser.1 $(DESTDIR)$(PREFIX)/share/man/man1/hawser.1
	install -D -m 644 man/hawser.conf.5 $(DESTDIR)$(PREFIX)/share/man/man5/hawser.conf.5
	install -D -m 644 man/hawserd.8 $(DESTDIR)$(PREFIX)/share/man/man8/hawserd.8
	install -D -m 755 -t $(DESTDIR)$(PREFIX)/share/doc/hawser/examples $(wildcard examples/on-event-*)
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/doc/hawser/examples $(filter-out examples/on-event-%,$(wildcard examples/*))
uninstall: ## remove what install put there; /etc/hawser and /var/lib/hawser stay
	rm -f $(addprefix $(DESTDIR)$(PREFIX)/,$(INSTALLED))

.PHONY: ready
ready: $(BPF_PROGRAMS:%=$(BPF_DIST)/%.skel.h)

# What distributions build from: what git has, and the BPF skeletons that a host without bpftool needs.
RELEASE := hawser-$(VERSION)
.PHONY: dist
dist: setup-run ## make the release tarball of what is committed, with its checksum, for packages
	@$(MAKE) --no-print-directory $(BUILD)/$(RELEASE).tar.gz
	@cd $(BUILD) && sha256sum $(RELEASE).tar.gz
.PHONY: $(BUILD)/$(RELEASE).tar.gz
$(BUILD)/$(RELEASE).tar.gz: $(BPF_PROGRAMS:%=$(BPF_DIST)/%.skel.h)
	@echo "  TAR     $@"
	$(Q)git archive --format=tar --prefix=$(RELEASE)/bpf/ready/ $(addprefix --add-file=,$^) \
		--prefix=$(RELEASE)/ HEAD | gzip -9n >$@.tmp && mv $@.tmp $@

# systemd's units for programs in PREFIX; the user hawser is the package's to make.
UNITDIR ?= $(PREFIX)/lib/systemd/system
.PHONY: install-systemd
install-systemd: ## install hawserd.service and hawserd.socket to $(DESTDIR)$(UNITDIR)
	install -d $(DESTDIR)$(UNITDIR)
	sed 's|@SBINDIR@|$(PREFIX)/sbin|; s|@BINDIR@|$(PREFIX)/bin|' systemd/hawserd.service.in \
		>$(DESTDIR)$(UNITDIR)/hawserd.service
	install -m 644 systemd/hawserd.socket $(DESTDIR)$(UNITDIR)/hawserd.socket

.PHONY: clean
clean: ## remove build/
	rm -rf build

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20
