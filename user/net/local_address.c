/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/local_address.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SWITCH(interface) "/proc/sys/net/ipv6/conf/" interface "/disable_ipv6"

int local_address_check(const union address *address)
{
	union address any_port = *address;
	int fd = socket(address->sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int err = 0;

	if (fd < 0)
		return errno == EAFNOSUPPORT ? -EAFNOSUPPORT : 0;
	address_set_port(&any_port, 0);
	if (bind(fd, &any_port.sa, address_length(&any_port)) && errno == EADDRNOTAVAIL)
		err = -EADDRNOTAVAIL;
	close(fd);
	return err;
}

/* What cannot be read is not off. */
static bool is_off(const char *path)
{
	FILE *file = fopen(path, "re");
	int first = file ? fgetc(file) : '0';

	if (file)
		fclose(file);
	return first != '0' && first != EOF;
}

/* "all" does nothing but set the others when it is written. */
static bool is_off_everywhere(void)
{
	glob_t switches;
	bool off = true;

	if (glob(SWITCH("*"), GLOB_NOSORT, NULL, &switches))
		return false;
	for (size_t i = 0; i < switches.gl_pathc && off; i++)
		off = strcmp(switches.gl_pathv[i], SWITCH("all")) == 0 ||
		      strcmp(switches.gl_pathv[i], SWITCH("lo")) == 0 ||
		      is_off(switches.gl_pathv[i]);
	globfree(&switches);
	return off;
}

bool local_address_is_off(const union address *address)
{
	if (address->sa.sa_family != AF_INET6)
		return false;
	if (local_address_check(address) == -EAFNOSUPPORT)
		return true;
	return address_is_loopback(address) ? is_off(SWITCH("lo")) : is_off_everywhere();
}
