/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `iptables-legacy -S` prints, and whether it keeps routers out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "setup/legacy_firewall.h"

#define OPEN   "-P INPUT ACCEPT\n-P FORWARD DROP\n-P OUTPUT ACCEPT\n"
#define CLOSED "-P INPUT DROP\n-P FORWARD DROP\n-P OUTPUT ACCEPT\n"

static void drops(const char *rules, bool expected)
{
	if (legacy_firewall_drops(rules, 1080) != expected)
		fail_msg("%s", rules);
}

static void who_keeps_routers_out(void **state)
{
	(void)state;
	drops(CLOSED, true);
	drops(CLOSED "-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT\n", true);
	drops(CLOSED "-A INPUT -p tcp -m tcp --dport 10800 -j ACCEPT\n", true);
	drops(OPEN "-A INPUT -i lo -j ACCEPT\n-A INPUT -j REJECT --reject-with "
		   "icmp-port-unreachable\n",
	      true);
	drops(OPEN "-N rest\n-A INPUT -j rest\n-A rest -j DROP\n", true);
	drops(OPEN "-A INPUT -p tcp -m tcp --dport 1080 -j DROP\n", true);
	drops(OPEN "-A INPUT -p tcp -m tcp ! --dport 22 -j DROP\n", true);
	drops(OPEN "-A INPUT -p tcp -m tcp --dport 1000:2000 -j DROP\n", true);
	drops(OPEN "-A INPUT ! -s 10.0.0.0/8 -j DROP\n", true);
	drops(OPEN "-A INPUT ! -p udp -j DROP\n", true);
	drops(OPEN "-A INPUT -p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -j DROP\n", true);
	drops(OPEN "-A INPUT -m recent --update --rsource -j DROP\n", true);
	drops(OPEN "-A INPUT -j DROP\n-A INPUT -p tcp -m tcp --dport 1080 -j ACCEPT\n", true);
	drops(OPEN "-A INPUT -j a\n-A a -i eth0 -j b\n-A b -j RETURN\n-A a -j DROP\n", true);
	drops(OPEN "-A INPUT -g a\n-A INPUT -j ACCEPT\n-A a -j b\n-A b -j DROP\n", true);
	drops(CLOSED "-A INPUT -g a\n-A INPUT -j ACCEPT\n-A a -s 192.0.2.1/32 -j ACCEPT\n", true);
	drops(CLOSED "-A INPUT -s 192.0.2.0/24 -j a\n-A a -j ACCEPT\n", true);
	drops(CLOSED "-A INPUT -p tcp -m tcp --dport 22 -j a\n-A a -j ACCEPT\n", true);
	drops(OPEN "-A INPUT -j a\n-A a -j a\n", true);
	drops(CLOSED "-A INPUT -i lo -j ACCEPT\n"
		     "-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n"
		     "-A INPUT -s 192.0.2.0/24 -p tcp -m tcp --dport 1080 -j ACCEPT\n"
		     "-A INPUT -p tcp -m limit --limit 1/sec -m tcp --dport 1080 -j ACCEPT\n"
		     "-A INPUT -p tcp -m multiport --dports 22,80:90 -j ACCEPT\n",
	      true);
}

static void who_does_not(void **state)
{
	(void)state;
	drops("", false);
	drops(OPEN, false);
	drops(CLOSED "-A INPUT -p tcp -m tcp --dport 1080 -j ACCEPT\n", false);
	drops(OPEN "-A FORWARD -i eth0 -j DROP\n-A INPUT -p udp -m udp --dport 53 -j DROP\n",
	      false);
	drops(OPEN "-A INPUT -p tcp -m tcp --dport 25 -j DROP\n", false);
	drops(OPEN "-A INPUT -m conntrack --ctstate INVALID -j DROP\n", false);
	drops(OPEN "-N f2b-sshd\n-A INPUT -p tcp -m multiport --dports 22 -j f2b-sshd\n"
		   "-A f2b-sshd -s 192.0.2.1/32 -j REJECT --reject-with icmp-port-unreachable\n",
	      false);
	drops(CLOSED "-A INPUT -p tcp -m multiport --dports 22,1080 -j ACCEPT\n", false);
	drops(CLOSED
	      "-A INPUT -p tcp -m conntrack --ctstate NEW,ESTABLISHED -m tcp --dport 1080 -j "
	      "ACCEPT\n",
	      false);
	drops(CLOSED "-A INPUT -p tcp -m comment --comment \"in -s all -j DROP\" -m tcp --dport "
		     "1000:1100 -j ACCEPT\n",
	      false);
	drops(CLOSED "-A INPUT -j ACCEPT\n-A INPUT -j DROP\n", false);
	drops(OPEN "-N DOCKER\n-A FORWARD -j DOCKER\n-A DOCKER -j DROP\n", false);
	drops(OPEN "-A INPUT -p tcp -m tcp --dport 22 -j a\n-A a -j DROP\n", false);
	drops(OPEN "-A INPUT -s 192.0.2.0/24 -j a\n-A a -j b\n-A b -j DROP\n", false);
	drops(OPEN "-A INPUT -j a\n-A a -p tcp -j RETURN\n-A a -j DROP\n", false);
	drops(CLOSED "-A INPUT -j LOG\n-A INPUT -j a\n-A INPUT -j DROP\n-A a -j b\n"
		     "-A b -p tcp -m tcp --dport 1080 -j ACCEPT\n",
	      false);
	drops(CLOSED "-A INPUT -j a\n-A a -g b\n-A a -j DROP\n-A b -j RETURN\n"
		     "-A INPUT -j ACCEPT\n",
	      false);
	drops(OPEN "-N DOCKER\n-A DOCKER ! -i docker0 -o docker0 -j DROP\n", false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_keeps_routers_out),
		cmocka_unit_test(who_does_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
