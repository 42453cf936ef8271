# shellcheck shell=dash disable=SC2034,SC3043
# SPDX-License-Identifier: GPL-2.0-or-later
# Stands in for OpenWrt's: what scripts of this package use of it, with the same results.

NO_CALLBACK=

append() { # VARIABLE WORD
	eval "$1=\"\${$1:+\${$1} }\$2\""
}

list_contains() { # VARIABLE WORD
	local words
	eval "words=\" \${$1} \""
	case "$words" in
	*" $2 "*) return 0 ;;
	esac
	return 1
}

get_bool() { # VALUE [DEFAULT]
	case "$1" in
	1 | on | true | yes | enabled) printf 1 ;;
	0 | off | false | no | disabled) printf 0 ;;
	*) printf %s "$2" ;;
	esac
}

reset_cb() {
	config_cb() { :; }
	option_cb() { :; }
	list_cb() { :; }
}
reset_cb

package() { :; }

# Callbacks run inside these functions: what is local here hides their variables of that name.
config() { # TYPE SECTION
	local cfgtype="$1" name="$2"
	CONFIG_SECTION="$name"
	append CONFIG_SECTIONS "$name"
	eval "CONFIG_${name}_TYPE=\$cfgtype"
	[ -n "$NO_CALLBACK" ] || config_cb "$cfgtype" "$name"
}

option() { # NAME VALUE
	local varname="$1" value="$2"
	eval "CONFIG_${CONFIG_SECTION}_$varname=\$value"
	[ -n "$NO_CALLBACK" ] || option_cb "$varname" "$value"
}

list() { # NAME VALUE
	local varname="$1" value="$2" len
	append "CONFIG_${CONFIG_SECTION}_$varname" "$value"
	[ -n "$NO_CALLBACK" ] || list_cb "$varname" "$value"
}

config_get() { # VARIABLE SECTION OPTION [DEFAULT]
	eval "$1=\"\${CONFIG_$2_$3:-\$4}\""
}

config_foreach() { # FUNCTION TYPE
	local section type
	for section in $CONFIG_SECTIONS; do
		config_get type "$section" TYPE
		[ "$type" != "$2" ] || "$1" "$section"
	done
}

# The last call has no arguments: the last section has ended.
config_load() { # PACKAGE
	local PACKAGE="$1" DATA RET VAR
	CONFIG_SECTIONS='' CONFIG_SECTION=''
	DATA="$(uci -q -P /var/state -S -n export "$PACKAGE")" || return 1
	eval "$DATA"
	[ -z "$CONFIG_SECTION" ] || config_cb
}
