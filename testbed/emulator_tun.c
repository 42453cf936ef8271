/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emulator_tun.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Packets that wait for us to read; the kernel's default of 500 is little while others have the
 * CPU. */
#define READ_QUEUE_PACKETS 4000

static int enter_namespace(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int error = 0;

	if (fd < 0)
		return -errno;
	if (setns(fd, CLONE_NEWNET))
		error = -errno;
	close(fd);
	return error;
}

static int set_read_queue(const char *device)
{
	struct ifreq request = {.ifr_qlen = READ_QUEUE_PACKETS};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int error = 0;

	if (fd < 0)
		return -errno;
	strncpy(request.ifr_name, device, sizeof(request.ifr_name) - 1);
	if (ioctl(fd, SIOCSIFTXQLEN, &request))
		error = -errno;
	close(fd);
	return error;
}

int tun_make(const char *namespace_path, const char *device, const char **what)
{
	/* No TSO_ECN: the headers of segments that are cut do not know about CWR. */
	unsigned long offloads = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;
	struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR | IFF_TUN_EXCL};
	int fd;
	int error;

	*what = namespace_path;
	error = enter_namespace(namespace_path);
	if (error)
		return error;
	*what = "/dev/net/tun";
	fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	*what = device;
	if (strlen(device) >= sizeof(request.ifr_name)) {
		close(fd);
		return -ENAMETOOLONG;
	}
	strncpy(request.ifr_name, device, sizeof(request.ifr_name) - 1);
	if (ioctl(fd, TUNSETIFF, &request) || ioctl(fd, TUNSETOFFLOAD, offloads))
		error = -errno;
	else
		error = set_read_queue(device);
	if (error) {
		close(fd);
		return error;
	}
	return fd;
}

int tun_set_carrier(int tun_fd, bool on)
{
	int value = on;

	return ioctl(tun_fd, TUNSETCARRIER, &value) ? -errno : 0;
}
