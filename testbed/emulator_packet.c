/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Segments as the kernel's TSO makes them (RFC 9293 sequence numbers, RFC 6864 IPv4 IDs). Checksums
 * of payload are left to the kernel that receives: only the pseudo-header's is made here. */
#include "emulator_packet.h"

#include <arpa/inet.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool is_ipv6(const struct packet *packet)
{
	return packet->data[0] >> 4 == 6;
}

/* Finds out where the headers end. vnet.hdr_len does not tell: it may have payload in it. */
static bool parse_segments(struct packet *packet)
{
	uint32_t tcp_offset = packet->vnet.csum_start;
	uint32_t least = is_ipv6(packet) ? sizeof(struct ip6_hdr) : sizeof(struct iphdr);
	uint32_t payload_bytes;
	struct tcphdr tcp;

	if (tcp_offset < least || tcp_offset + sizeof(tcp) > packet->bytes ||
	    packet->vnet.gso_size == 0)
		return false;
	memcpy(&tcp, packet->data + tcp_offset, sizeof(tcp));
	packet->tcp_offset = tcp_offset;
	packet->header_bytes = tcp_offset + tcp.doff * 4U;
	if (tcp.doff < sizeof(tcp) / 4 || packet->header_bytes > packet->bytes ||
	    packet->header_bytes > PACKET_HEADERS_BYTES)
		return false;
	payload_bytes = packet->bytes - packet->header_bytes;
	packet->segments = (payload_bytes + packet->vnet.gso_size - 1) / packet->vnet.gso_size;
	return packet->segments > 0;
}

struct packet *packet_new(const uint8_t *frame, size_t bytes)
{
	struct virtio_net_hdr vnet;
	struct packet *packet;

	if (bytes <= sizeof(vnet) || bytes > PACKET_FRAME_BYTES)
		return NULL;
	bytes -= sizeof(vnet);
	packet = malloc(sizeof(*packet) + bytes);
	if (!packet)
		return NULL;
	memcpy(&vnet, frame, sizeof(vnet));
	*packet = (struct packet){
		.vnet = vnet, .references = 1, .bytes = (uint32_t)bytes, .segments = 1};
	memcpy(packet->data, frame + sizeof(vnet), bytes);
	if (vnet.gso_type != VIRTIO_NET_HDR_GSO_NONE && !parse_segments(packet)) {
		free(packet);
		return NULL;
	}
	return packet;
}

struct packet *packet_hold(struct packet *packet)
{
	packet->references++;
	return packet;
}

void packet_release(struct packet *packet)
{
	if (--packet->references == 0)
		free(packet);
}

static uint32_t payload_offset(const struct packet *packet, uint32_t segment)
{
	uint32_t offset = packet->header_bytes + segment * packet->vnet.gso_size;

	return offset < packet->bytes ? offset : packet->bytes;
}

uint32_t packet_wire_bytes(const struct packet *packet, uint32_t first, uint32_t count)
{
	if (packet->segments == 1)
		return packet->bytes;
	return count * packet->header_bytes + payload_offset(packet, first + count) -
	       payload_offset(packet, first);
}

/* Of 16-bit words in network byte order (RFC 1071), folded; bytes is even. */
static uint32_t sum_words(uint32_t sum, const void *data, size_t bytes)
{
	const uint8_t *from = data;
	uint16_t word;

	for (size_t i = 0; i < bytes; i += sizeof(word)) {
		memcpy(&word, from + i, sizeof(word));
		sum += word;
	}
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* Returns the sum of the addresses, for the pseudo-header. */
static uint32_t fix_ipv4(uint8_t *headers, uint32_t bytes, uint32_t first)
{
	struct iphdr ip;

	memcpy(&ip, headers, sizeof(ip));
	ip.tot_len = htons((uint16_t)bytes);
	ip.id = htons((uint16_t)(ntohs(ip.id) + first));
	ip.check = 0;
	memcpy(headers, &ip, sizeof(ip));
	ip.check = (uint16_t)~sum_words(0, headers, ip.ihl * (size_t)4);
	memcpy(headers, &ip, sizeof(ip));
	return sum_words(0, headers + offsetof(struct iphdr, saddr), 2 * sizeof(ip.saddr));
}

static uint32_t fix_ipv6(uint8_t *headers, uint32_t bytes)
{
	struct ip6_hdr ip;

	memcpy(&ip, headers, sizeof(ip));
	ip.ip6_plen = htons((uint16_t)(bytes - sizeof(ip)));
	memcpy(headers, &ip, sizeof(ip));
	return sum_words(0, headers + offsetof(struct ip6_hdr, ip6_src), 2 * sizeof(ip.ip6_src));
}

static void fix_headers(const struct packet *packet, uint32_t first, uint32_t from, uint32_t to,
			uint8_t *headers)
{
	uint32_t bytes = packet->header_bytes + to - from;
	uint32_t sum = is_ipv6(packet) ? fix_ipv6(headers, bytes) : fix_ipv4(headers, bytes, first);
	uint16_t rest[] = {htons(IPPROTO_TCP), htons((uint16_t)(bytes - packet->tcp_offset))};
	struct tcphdr tcp;

	memcpy(&tcp, headers + packet->tcp_offset, sizeof(tcp));
	tcp.seq = htonl(ntohl(tcp.seq) + from - packet->header_bytes);
	if (to < packet->bytes) {
		tcp.fin = 0;
		tcp.psh = 0;
	}
	/* Not complemented: whoever completes it does that. */
	tcp.check = (uint16_t)sum_words(sum, rest, sizeof(rest));
	memcpy(headers + packet->tcp_offset, &tcp, sizeof(tcp));
}

void packet_frame(const struct packet *packet, uint32_t first, uint32_t count,
		  struct packet_frame *frame)
{
	uint8_t *data = (uint8_t *)packet->data;
	uint32_t from;
	uint32_t to;

	frame->vnet = packet->vnet;
	frame->iov[0] = (struct iovec){&frame->vnet, sizeof(frame->vnet)};
	if (count == packet->segments) {
		frame->iov[1] = (struct iovec){data, packet->bytes};
		frame->iov_count = 2;
		return;
	}
	from = payload_offset(packet, first);
	to = payload_offset(packet, first + count);
	memcpy(frame->headers, data, packet->header_bytes);
	fix_headers(packet, first, from, to, frame->headers);
	frame->vnet.hdr_len = (uint16_t)packet->header_bytes;
	if (count == 1) {
		frame->vnet.gso_type = VIRTIO_NET_HDR_GSO_NONE;
		frame->vnet.gso_size = 0;
	}
	frame->iov[1] = (struct iovec){frame->headers, packet->header_bytes};
	frame->iov[2] = (struct iovec){data + from, to - from};
	frame->iov_count = 3;
}
