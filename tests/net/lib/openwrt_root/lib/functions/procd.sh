# shellcheck shell=dash disable=SC3043
# SPDX-License-Identifier: GPL-2.0-or-later
# Stands in for procd and for OpenWrt's procd.sh: one instance of a service, which runs as said;
# another command line, limits or jail restart it, none ends it.

PROCD=/tmp/procd

procd_open_service() { # NAME SCRIPT
	service="$1" instance='' command=''
	mkdir -p "$PROCD"
	: >"$PROCD/$service.triggers"
}

procd_open_instance() { :; }
procd_close_instance() { :; }

procd_set_param() { # TYPE VALUE...
	local type="$1"
	shift
	instance="$instance$type $*
"
	[ "$type" != command ] || command="$*"
}

procd_add_jail() { instance="${instance}jail $*
"; }
procd_add_jail_mount() { procd_add_jail "mount $*"; }
procd_add_jail_mount_rw() { procd_add_jail "mount-rw $*"; }

procd_add_reload_trigger() { # CONFIGURATION
	echo "config.change/$1 /etc/init.d/$service reload" >>"$PROCD/$service.triggers"
}

procd_add_raw_trigger() { # EVENT DELAY-MS COMMAND...
	local event="$1"
	shift 2
	echo "$event $*" >>"$PROCD/$service.triggers"
}

pid_of() { # SERVICE
	local pid
	pid="$(cat "$PROCD/$1.pid" 2>/dev/null)"
	[ -n "$pid" ] && kill -0 "$pid" 2>/dev/null && echo "$pid"
}

procd_running() { # SERVICE
	pid_of "$1" >/dev/null
}

procd_send_signal() { # SERVICE INSTANCE SIGNAL
	echo "$3" >>"$PROCD/$1.signals"
	kill -s "$3" "$(pid_of "$1")"
}

end_instance() { # SERVICE
	local pid
	pid="$(pid_of "$1")" && kill "$pid"
	rm -f "$PROCD/$1.pid" "$PROCD/$1.instance"
}

procd_kill() { # SERVICE
	end_instance "$1"
	rm -f "$PROCD/$1.triggers"
}

procd_close_service() {
	service_triggers
	if [ -z "$command" ]; then
		end_instance "$service"
	elif ! procd_running "$service" || [ "$instance" != "$(cat "$PROCD/$service.instance")
" ]; then
		end_instance "$service"
		# shellcheck disable=SC2086 # without spaces in its words
		$command >>/tmp/log 2>&1 </dev/null &
		echo $! >"$PROCD/$service.pid"
		printf %s "$instance" >"$PROCD/$service.instance"
	fi
}
