/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The devices that the program bpf/packets.bpf.c looks at. */
#include "accel/packets_device.h"

#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "intercept/tc_hook.h"

/* After what takes connections: it marks packets for sockets, and these have none any more. */
const struct tc_program packets_ethernet = {.name = "hawser_packets",
					    .priority = TC_PRIORITY_PACKETS};
const struct tc_program packets_bare = {.name = "hawser_packets3", .priority = TC_PRIORITY_PACKETS};

/* From 5.14 on ARPHRD_RAWIP is in the header, too. */
#define ARPHRD_RAWIP_NUMBER 519

/* Looks in turn that do not find the program until it is put back: who took it off may be about to
 * put something of theirs there. Each time it is taken off again they become twice as many, until
 * it has stayed for a while. */
#define MISSED_FIRST 2
#define MISSED_MAX   512
#define STAYED	     60

struct device {
	int ifindex;
	bool bare;
	unsigned int missed;   /* looks in turn */
	unsigned int patience; /* so many until it is put back */
	unsigned int stayed;   /* looks that found it since */
};

struct packets_devices {
	pthread_mutex_t lock;
	enum tc_hook hook;
	int ethernet; /* programs */
	int bare;
	struct device *list;
	size_t count;
};

static int program_of(const struct packets_devices *devices, const struct device *device)
{
	return device->bare ? devices->bare : devices->ethernet;
}

static const struct tc_program *place_of(const struct device *device)
{
	return device->bare ? &packets_bare : &packets_ethernet;
}

struct packets_devices *packets_devices_open(int ethernet, int bare)
{
	struct packets_devices *devices = calloc(1, sizeof(*devices));

	if (!devices)
		return NULL;
	pthread_mutex_init(&devices->lock, NULL);
	devices->hook = tc_hook_probe();
	devices->ethernet = ethernet;
	devices->bare = bare;
	return devices;
}

void packets_devices_close(struct packets_devices *devices)
{
	if (!devices)
		return;
	for (size_t i = 0; i < devices->count; i++) {
		const struct device *device = &devices->list[i];

		(void)tc_hook_detach(devices->hook, place_of(device), (unsigned int)device->ifindex,
				     program_of(devices, device));
	}
	pthread_mutex_destroy(&devices->lock);
	free(devices->list);
	free(devices);
}

/* Whether its packets begin with IP's header: 0 or 1, or -errno. */
static int device_is_bare(int ifindex)
{
	struct ifreq request = {0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (!if_indextoname((unsigned int)ifindex, request.ifr_name) ||
	    ioctl(fd, SIOCGIFHWADDR, &request))
		err = -errno;
	close(fd);
	if (err)
		return err;
	switch (request.ifr_hwaddr.sa_family) {
	case ARPHRD_ETHER:
		return 0;
	case ARPHRD_NONE:
	case ARPHRD_PPP:
	case ARPHRD_RAWIP_NUMBER:
		return 1;
	default:
		return -EOPNOTSUPP;
	}
}

/* 0 or -errno. */
static int device_attach(const struct packets_devices *devices, struct device *device)
{
	const int bare = device_is_bare(device->ifindex);

	if (bare < 0)
		return bare;
	device->bare = bare;
	return tc_hook_attach(devices->hook, place_of(device), (unsigned int)device->ifindex,
			      program_of(devices, device), -ENOENT);
}

static int device_add(struct packets_devices *devices, int ifindex)
{
	struct device device = {.ifindex = ifindex, .patience = MISSED_FIRST};
	struct device *list = realloc(devices->list, (devices->count + 1) * sizeof(*list));
	int err;

	if (!list)
		return -ENOMEM;
	devices->list = list;
	err = device_attach(devices, &device);
	if (!err)
		list[devices->count++] = device;
	return err;
}

int packets_devices_attend(struct packets_devices *devices, int ifindex)
{
	int err = -ENODEV;

	pthread_mutex_lock(&devices->lock);
	for (size_t i = 0; i < devices->count && err; i++)
		if (devices->list[i].ifindex == ifindex)
			err = 0;
	if (err)
		err = device_add(devices, ifindex);
	pthread_mutex_unlock(&devices->lock);
	return err;
}

/* Or its number is that of an interface of another kind by now. What else fails may pass. */
static bool is_gone(int err)
{
	return err == -ENODEV || err == -ENXIO || err == -EOPNOTSUPP;
}

/* Whether the program is there, or will be: 0 or 1, or -errno. */
static int device_tend(const struct packets_devices *devices, struct device *device)
{
	int err = tc_hook_look(devices->hook, place_of(device), (unsigned int)device->ifindex,
			       program_of(devices, device));

	if (err == 1) {
		device->missed = 0;
		if (++device->stayed >= STAYED)
			device->patience = MISSED_FIRST;
	}
	if (err != 0 || ++device->missed < device->patience)
		return err;
	err = device_attach(devices, device);
	if (err)
		return err;
	if (device->patience == MISSED_FIRST)
		log_warning("packets: the program was taken off interface %d, and is there again",
			    device->ifindex);
	device->missed = 0;
	device->stayed = 0;
	if (device->patience < MISSED_MAX)
		device->patience *= 2;
	return 0;
}

void packets_devices_tend(struct packets_devices *devices)
{
	size_t kept = 0;

	pthread_mutex_lock(&devices->lock);
	for (size_t i = 0; i < devices->count; i++) {
		struct device *device = &devices->list[i];

		if (!is_gone(device_tend(devices, device)))
			devices->list[kept++] = *device;
	}
	devices->count = kept;
	pthread_mutex_unlock(&devices->lock);
}
