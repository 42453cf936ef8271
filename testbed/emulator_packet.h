/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What one read of a TUN device brings: a packet, or up to 64 KiB of TCP segments in one (TSO), of
 * which any run can be handed on. Knows nothing of time. */
#ifndef EMULATOR_PACKET_H
#define EMULATOR_PACKET_H

#include <linux/virtio_net.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/* The longest read: a header for the segments, and an IP packet. */
#define PACKET_FRAME_BYTES (sizeof(struct virtio_net_hdr) + 65536)
/* Of IP and TCP, all options and some extension headers. */
#define PACKET_HEADERS_BYTES 256

struct packet {
	struct virtio_net_hdr vnet;
	unsigned references;
	uint32_t bytes;
	/* At least one. Where there are more, each has headers of its own on the wire. */
	uint32_t segments;
	uint32_t header_bytes;
	uint32_t tcp_offset;
	uint8_t data[];
};

/* A run of a packet's segments, ready for writev(). Points into the packet and into itself. */
struct packet_frame {
	struct virtio_net_hdr vnet;
	uint8_t headers[PACKET_HEADERS_BYTES];
	struct iovec iov[3];
	int iov_count;
};

/* Copies a frame as read from the device. NULL if it is malformed or there is no memory; else the
 * caller has the one reference. */
struct packet *packet_new(const uint8_t *frame, size_t bytes);

struct packet *packet_hold(struct packet *packet);
void packet_release(struct packet *packet);

/* Bytes on the wire, from the IP header on, of segments first to first + count - 1. */
uint32_t packet_wire_bytes(const struct packet *packet, uint32_t first, uint32_t count);

/* The packet must outlive the frame. */
void packet_frame(const struct packet *packet, uint32_t first, uint32_t count,
		  struct packet_frame *frame);

#endif
