# SPDX-License-Identifier: GPL-2.0-or-later
# The BPF objects and their skeletons. Include it in the Makefile after BUILD, CC and Q are known.
# BPF=0 builds a hawserd without libbpf: X_off.c takes the place of X.c; LOCAL=0 one without local-accel.

.DEFAULT_GOAL := all

BPF     ?= 1
LOCAL   ?= 1
CLANG   ?= clang
# bpfeb for a target of the other byte order.
BPF_TARGET ?= bpf
# Takes DWARF out, half of an object, and the names of jumps' targets. BTF stays, with the lines of the source.
LLVM_STRIP ?= llvm-strip
BPF_STRIP  = $(LLVM_STRIP) --strip-debug --wildcard --strip-symbol='LBB*'
BPFTOOL ?= $(or $(shell command -v bpftool),/usr/sbin/bpftool)

BPF_SRCS := $(addprefix user/,accel/event_ring.c accel/sockmap.c accel/sockmap_pin.c accel/local.c base/libbpf_log.c \
	intercept/run_redirect.c intercept/steer.c intercept/steer_load.c intercept/steer_maps.c \
	intercept/steer_probe.c intercept/steer_state.c intercept/tc_hook.c accel/packets.c accel/packets_device.c \
	accel/packets_orphan.c)
OFF_SRCS := $(filter-out user/cli/% user/http/% user/web/%,$(wildcard user/*/*_off.c))
BPF_TESTS := $(addprefix tests/unit/accel/,local_test.c objects_test.c packets_device_test.c packets_forged_test.c \
	packets_judge_test.c packets_orphan_test.c packets_rewrite_test.c sockmap_test.c sockmap_flow_test.c sockmap_flow_end_test.c \
	sockmap_flow_event_test.c sockmap_flow_stream_test.c)

ifeq ($(BPF),1)
WITHOUT  := $(OFF_SRCS)
ifeq ($(LOCAL),0)
WITHOUT  := $(filter-out user/accel/local_off.c,$(OFF_SRCS)) user/accel/local.c user/accel/local_probe.c \
	    tests/unit/accel/local_test.c
endif
BPF_OBJ  := $(BUILD)/bpf
# Without asm/ of the multiarch directory, linux/types.h does not compile for -target bpf.
# clang puts a vendor into the name. Asked for only when it is used: the compiler may be installed by
# the same make.
BPF_INCLUDES = $(addprefix -I,$(wildcard \
		/usr/include/$(subst -pc-,-,$(subst -unknown-,-,$(shell $(CC) -dumpmachine)))))
BPF_CFLAGS ?= -O2 -g -mcpu=v3 -Wall -Wextra -Werror
BPF_PROGRAMS := $(patsubst bpf/%.bpf.c,%,$(wildcard bpf/*.bpf.c))
# A release has them ready, for both byte orders and for hosts without clang and bpftool.
BPF_READY := $(wildcard bpf/ready)
BPF_SKELS := $(if $(BPF_READY),,$(BPF_PROGRAMS:%=$(BPF_OBJ)/%.skel.h))

# A system header: generated code is not ours to judge.
HAWSER_BPF_CFLAGS := -isystem $(or $(BPF_READY),$(BPF_OBJ))
HAWSER_BPF_LIBS   := -lbpf -lelf

$(BPF_OBJ)/%.bpf.o: bpf/%.bpf.c bpf/bpf.mk
	@echo "  BPF     $@"
	@mkdir -p $(@D)
	$(Q)$(CLANG) -target $(BPF_TARGET) $(BPF_CFLAGS) $(BPF_INCLUDES) -MMD -MP -c -o $@ $< && \
		$(BPF_STRIP) $@

# Written beside it and moved: half a skeleton must not look like one.
$(BPF_OBJ)/%.skel.h: $(BPF_OBJ)/%.bpf.o
	@echo "  SKEL    $@"
	$(Q){ echo '/* NOLINTBEGIN: generated */' && $(BPFTOOL) gen skeleton $< name $*_bpf && \
		echo '/* NOLINTEND */'; } >$@.tmp && mv $@.tmp $@

# For BPF_READY.
BPF_DIST := $(BUILD)/dist
$(BPF_DIST)/%.bpfel.o $(BPF_DIST)/%.bpfeb.o: bpf/%.bpf.c bpf/bpf.mk
	@echo "  BPF     $(@D)/$*.bpfel.o, $*.bpfeb.o"
	@mkdir -p $(@D)
	$(Q)for order in bpfel bpfeb; do $(CLANG) -target $$order $(BPF_CFLAGS) $(BPF_INCLUDES) -c \
		-o $(BPF_DIST)/$*.$$order.o $< && $(BPF_STRIP) $(BPF_DIST)/$*.$$order.o || exit; done

$(BPF_DIST)/%.skel.h: $(BPF_DIST)/%.bpfel.o $(BPF_DIST)/%.bpfeb.o bpf/ready.py bpf/lean.py
	@echo "  SKEL    $@"
	$(Q)$(BPFTOOL) gen skeleton $< name $*_bpf >$@.one
	$(Q)$(PYTHON) bpf/ready.py $@.one $(BPF_DIST)/$*.bpfel.o $(BPF_DIST)/$*.bpfeb.o >$@.tmp && mv $@.tmp $@

# Said here because -MMD leaves system headers out.
$(patsubst %.c,$(BUILD)/%.o,$(BPF_SRCS) $(BPF_TESTS)): $(or $(BPF_SKELS),$(wildcard $(BPF_READY)/*.skel.h))
else
WITHOUT := $(BPF_SRCS) $(BPF_TESTS)
HAWSER_BPF_CFLAGS :=
HAWSER_BPF_LIBS   :=
endif
