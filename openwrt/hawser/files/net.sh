# shellcheck shell=dash disable=SC3043 # local
# SPDX-License-Identifier: GPL-2.0-or-later
# Logical interfaces: what they are called in the kernel, their addresses and networks.

DEVICES=/var/run/hawser.devices

# No name has other characters, and none is part of a program for sed or awk.
is_interface() { # TEXT
	case "$1" in
	*[!A-Za-z0-9_.-]*) return 1 ;;
	esac
}

last_device() { # INTERFACE
	awk -v name="$1" '$1 "" == name "" { print $2 }' "$DEVICES" 2>/dev/null
}

# Of an interface that is down, what it was called last, unless a link that is up is called so now.
# A modem may come back under another name. Sets device; returns 1 if nothing is known.
device_of() { # INTERFACE
	local known=
	network_get_device device "$1" && [ -n "$device" ] && {
		[ "$(last_device "$1")" = "$device" ] && return 0
		known="$(awk -v name="$1" '$1 "" != name ""' "$DEVICES" 2>/dev/null)"
		printf '%s\n' "$1 $device" ${known:+"$known"} >"$DEVICES"
		return 0
	}
	device="$(last_device "$1")"
	[ -n "$device" ] && ! list_contains devices_up "$device"
}

note_link_that_is_up() { # SECTION
	local interface='' found
	config_get interface "$1" interface
	if [ -n "$interface" ] && network_get_device found "$interface"; then
		append devices_up "$found"
	fi
}

# Sets address: fd00::1 becomes fd00:0:0:0:0:0:0:1.
spell_out() { # IPV6-ADDRESS
	local IFS=: head="${1%%::*}" tail="${1#*::}" words
	address="$1"
	[ "$head" != "$1" ] || return 0
	# shellcheck disable=SC2086 # split at colons
	set -- $head $tail
	words=$#
	# shellcheck disable=SC2086
	set -- $head
	while [ $words -lt 8 ]; do
		set -- "$@" 0
		words=$((words + 1))
	done
	# shellcheck disable=SC2086
	set -- "$@" $tail
	address="$*"
}

# Sets network: 192.168.1.1/24 becomes 192.168.1.0/24.
network_of() { # ADDRESS/BITS
	local address="${1%/*}" bits="${1#*/}" width=8 mark=. form=%d base='' word kept IFS
	network=
	case "$address" in
	*:*)
		spell_out "$address"
		width=16 mark=: form=%x base=0x
		;;
	esac
	IFS=$mark
	for word in $address; do
		kept=$((bits < 0 ? 0 : bits < width ? bits : width))
		bits=$((bits - width))
		word=$(($base$word >> (width - kept) << (width - kept)))
		# shellcheck disable=SC2059 # the form is ours
		network="${network:+$network$mark}$(printf "$form" "$word")"
	done
	network="$network/${1#*/}"
}

# Sets found: the networks, or the addresses that clients can use; returns 1 if there is none.
networks_of() { # INTERFACE
	local of4='' of6='' each network
	found=
	network_get_subnets of4 "$1"
	network_get_subnets6 of6 "$1"
	for each in $of4 $of6; do
		case "$each" in
		fe80:*) continue ;;
		esac
		network_of "$each"
		append found "$network"
	done
	[ -n "$found" ]
}

addresses_of() { # INTERFACE
	local of4='' of6='' each
	found=
	network_get_ipaddrs of4 "$1"
	network_get_ipaddrs6 of6 "$1"
	for each in $of4 $of6; do
		case "$each" in
		fe80:*) ;;
		*:*) append found "[$each]" ;;
		*) append found "$each" ;;
		esac
	done
	[ -n "$found" ]
}
