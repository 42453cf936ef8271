# shellcheck shell=dash disable=SC1090,SC2034,SC3043
# SPDX-License-Identifier: GPL-2.0-or-later
# Stands in for OpenWrt's: netifd's answers are files of shell variables, one for each interface that
# is up. Without an answer the variable is unset and the result is 1.

look_up() { # VARIABLE INTERFACE FIELD
	local l3_device='' ipaddrs='' ipaddrs6='' subnets='' subnets6='' answer
	[ ! -e "/tmp/netifd/$2" ] || . "/tmp/netifd/$2"
	eval "answer=\$$3"
	unset "$1"
	[ -n "$answer" ] && eval "export $1=\$answer"
}

network_get_device() { look_up "$1" "$2" l3_device; }
network_get_ipaddrs() { look_up "$1" "$2" ipaddrs; }
network_get_ipaddrs6() { look_up "$1" "$2" ipaddrs6; }
network_get_subnets() { look_up "$1" "$2" subnets; }
network_get_subnets6() { look_up "$1" "$2" subnets6; }
