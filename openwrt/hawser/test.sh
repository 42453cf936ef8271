#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Run by the feed's CI on a root file system of each architecture. Usage: test.sh PACKAGE VERSION

case "$1" in
hawser | hawser-nobpf)
	hawserd --version | grep -qF "$2" && hawser --version | grep -qF "$2"
	;;
esac
