#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Format, clang-tidy, man pages, LuCI's pages, layers, documents, and warnings of both compilers. Usage: lint.sh FILE.c FILE.h…
set -eu

failed=0
step() {
	name=$1
	shift
	if out=$("$@" 2>&1); then
		echo "  ok      $name"
	else
		echo "  FAILED  $name"
		printf '%s\n' "$out" | grep -v 'warnings generated' || true
		failed=1
	fi
}

c_files=
for f in "$@"; do
	case $f in
	*.bpf.c) ;; # built with -Werror; these compilers and clang-tidy do not know the target
	*.c) c_files="$c_files $f" ;;
	esac
done
flags="-std=gnu11 -D_GNU_SOURCE -DHAWSER_VERSION=\"lint\" -Iuser -Iinclude -I. -isystem build/bpf -isystem build/page"
warnings="-Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Werror"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Compiles rather than only checks the syntax: some warnings need the optimiser.
compile() {
	cc=$1
	for f in $c_files; do
		# shellcheck disable=SC2086 # lists of words
		"$cc" -O2 $flags $warnings -c -o "$scratch/out.o" "$f" || return 1
	done
}

step "format (make format mends it)" clang-format --dry-run -Werror "$@"
step "gcc, no warnings" compile gcc
step "clang, no warnings" compile clang
# One file at a time: clang-tidy 14 takes va_start() for missing in all files but the first.
tidy() {
	# shellcheck disable=SC2086 # lists of words
	printf '%s\n' $c_files | xargs -P "$(nproc)" -I FILE clang-tidy --quiet FILE -- $flags
}
step "clang-tidy" tidy
# It is set back and forth: only what is compared with a calendar or another host may read it.
steady() {
	! grep -nE '\b(ev_now|ev_time|ev_periodic_init|gettimeofday|time)\(|CLOCK_REALTIME' user/*.c user/*/*.c |
		grep -vE '^user/(base/clock|base/log|daemon/report_links|links/link_history|links/links_watch)\.c:'
}
step "intervals by a steady clock" steady
step "man pages" mandoc -Tlint -Wwarning man/*.[158]
# Elsewhere than Debian's, node does not look where Debian has modules.
step "LuCI's pages" env NODE_PATH=/usr/share/nodejs eslint -f unix --no-eslintrc -c tests/eslint.json openwrt/luci-app-hawser/htdocs
step "layers of user/" python3 tests/lint_layers.py
step "names in documents" python3 tests/lint_docs.py
shell_scripts() {
	git ls-files | while read -r file; do
		first=$(head -n 1 "$file" 2>/dev/null | tr -d '\000')
		case $first:$file in
		'#!/bin/sh'*) ;;
		'#!'*) continue ;;
		*.sh) ;;
		*) continue ;;
		esac
		sh -n "$file" || exit 1
	done
}
step "shell scripts" shell_scripts
exit $failed
