/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The first packet of a TCP connection as bytes, and its answers. */
#include "net/syn_packet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <string.h>

#include "net/internet_sum.h"

#define TTL 64
/* Of a packet that an error quotes: its headers, and not what it carries. */
#define QUOTE_MAX (sizeof(struct ip6_hdr) + 60)

/* The addresses stand side by side in both headers. */
static uint32_t pseudo_sum(const uint8_t *ip, size_t tcp_len)
{
	const bool v4 = ip[0] >> 4 == 4;

	return internet_sum(
		ip + (v4 ? offsetof(struct ip, ip_src) : offsetof(struct ip6_hdr, ip6_src)),
		v4 ? 8 : 32, IPPROTO_TCP + (uint32_t)tcp_len);
}

static void fill_checksum(uint8_t *ip, size_t tcp, size_t tcp_len)
{
	uint16_t check = 0;

	memcpy(ip + tcp + offsetof(struct tcphdr, check), &check, sizeof(check));
	check = internet_checksum(internet_sum(ip + tcp, tcp_len, pseudo_sum(ip, tcp_len)));
	memcpy(ip + tcp + offsetof(struct tcphdr, check), &check, sizeof(check));
}

static int judge_checksum(struct syn_packet *syn)
{
	const size_t tcp_len = syn->len - syn->tcp;
	const uint32_t pseudo = pseudo_sum(syn->bytes, tcp_len);
	struct tcphdr tcp;

	if (internet_sum_fold(internet_sum(syn->bytes + syn->tcp, tcp_len, pseudo)) == 0xffff)
		return 0;
	memcpy(&tcp, syn->bytes + syn->tcp, sizeof(tcp));
	if (ntohs(tcp.check) != internet_sum_fold(pseudo))
		return -EBADMSG;
	fill_checksum(syn->bytes, syn->tcp, tcp_len);
	return 0;
}

/* Sets all but the ports, and cuts what follows the packet. */
static int parse_ip(struct syn_packet *syn)
{
	struct ip v4;
	struct ip6_hdr v6;
	size_t total;

	if (syn->len >= sizeof(v4) && syn->bytes[0] >> 4 == 4) {
		memcpy(&v4, syn->bytes, sizeof(v4));
		syn->tcp = (size_t)v4.ip_hl * 4;
		total = ntohs(v4.ip_len);
		if (syn->tcp < sizeof(v4) || v4.ip_p != IPPROTO_TCP ||
		    ntohs(v4.ip_off) & (IP_OFFMASK | IP_MF))
			return -EINVAL;
		address_from_bytes(&syn->from, AF_INET, &v4.ip_src, 0);
		address_from_bytes(&syn->to, AF_INET, &v4.ip_dst, 0);
	} else if (syn->len >= sizeof(v6) && syn->bytes[0] >> 4 == 6) {
		memcpy(&v6, syn->bytes, sizeof(v6));
		syn->tcp = sizeof(v6);
		total = sizeof(v6) + ntohs(v6.ip6_plen);
		if (v6.ip6_nxt != IPPROTO_TCP)
			return -EINVAL;
		address_from_bytes(&syn->from, AF_INET6, &v6.ip6_src, 0);
		address_from_bytes(&syn->to, AF_INET6, &v6.ip6_dst, 0);
		/* What wraps an IPv4 address has no business on a wire. */
		if (syn->from.sa.sa_family != AF_INET6 || syn->to.sa.sa_family != AF_INET6)
			return -EINVAL;
	} else {
		return -EINVAL;
	}
	if (total > syn->len || total < syn->tcp + sizeof(struct tcphdr))
		return -EINVAL;
	syn->len = total;
	return 0;
}

int syn_packet_parse(struct syn_packet *syn, uint8_t *bytes, size_t len)
{
	struct tcphdr tcp;

	*syn = (struct syn_packet){.bytes = bytes, .len = len};
	if (parse_ip(syn))
		return -EINVAL;
	memcpy(&tcp, bytes + syn->tcp, sizeof(tcp));
	if (!tcp.syn || tcp.ack || tcp.rst || tcp.fin || (size_t)tcp.doff * 4 < sizeof(tcp) ||
	    syn->tcp + (size_t)tcp.doff * 4 > syn->len)
		return -EINVAL;
	address_set_port(&syn->from, ntohs(tcp.source));
	address_set_port(&syn->to, ntohs(tcp.dest));
	return judge_checksum(syn);
}

/* From the destination to the client. Returns its length. */
static size_t put_ip(const struct syn_packet *syn, size_t payload, uint8_t *out)
{
	if (syn->from.sa.sa_family == AF_INET) {
		const struct ip v4 = {.ip_v = 4,
				      .ip_hl = sizeof(v4) / 4,
				      .ip_len = htons((uint16_t)(sizeof(v4) + payload)),
				      .ip_off = htons(IP_DF),
				      .ip_ttl = TTL,
				      .ip_p = IPPROTO_TCP,
				      .ip_src = syn->to.in4.sin_addr,
				      .ip_dst = syn->from.in4.sin_addr};

		memcpy(out, &v4, sizeof(v4)); /* the kernel fills in its checksum */
		return sizeof(v4);
	}
	const struct ip6_hdr v6 = {.ip6_flow = htonl(UINT32_C(6) << 28),
				   .ip6_plen = htons((uint16_t)payload),
				   .ip6_nxt = IPPROTO_TCP,
				   .ip6_hlim = TTL,
				   .ip6_src = syn->to.in6.sin6_addr,
				   .ip6_dst = syn->from.in6.sin6_addr};

	memcpy(out, &v6, sizeof(v6));
	return sizeof(v6);
}

size_t syn_packet_reset(const struct syn_packet *syn, uint8_t out[SYN_ANSWER_MAX])
{
	const size_t ip = put_ip(syn, sizeof(struct tcphdr), out);
	struct tcphdr asked;
	struct tcphdr reset = {.doff = sizeof(reset) / 4, .rst = 1, .ack = 1};

	memcpy(&asked, syn->bytes + syn->tcp, sizeof(asked));
	reset.source = asked.dest;
	reset.dest = asked.source;
	/* What came with it, and the SYN itself, count. */
	reset.ack_seq = htonl(ntohl(asked.seq) + 1 +
			      (uint32_t)(syn->len - syn->tcp - (size_t)asked.doff * 4));
	memcpy(out + ip, &reset, sizeof(reset));
	fill_checksum(out, ip, sizeof(reset));
	return ip + sizeof(reset);
}

size_t syn_packet_unreachable(const struct syn_packet *syn, enum syn_unreachable why,
			      uint8_t out[SYN_ANSWER_MAX])
{
	static const uint8_t codes4[] = {[SYN_NO_ROUTE] = ICMP_UNREACH_NET,
					 [SYN_NO_HOST] = ICMP_UNREACH_HOST,
					 [SYN_PROHIBITED] = ICMP_UNREACH_FILTER_PROHIB};
	static const uint8_t codes6[] = {[SYN_NO_ROUTE] = ICMP6_DST_UNREACH_NOROUTE,
					 [SYN_NO_HOST] = ICMP6_DST_UNREACH_ADDR,
					 [SYN_PROHIBITED] = ICMP6_DST_UNREACH_ADMIN};
	const bool v4 = syn->from.sa.sa_family == AF_INET;
	const size_t quote = syn->len < QUOTE_MAX ? syn->len : QUOTE_MAX;
	/* Both versions begin alike: type, code, checksum, four bytes unused. */
	uint8_t header[ICMP_MINLEN] = {v4 ? ICMP_UNREACH : ICMP6_DST_UNREACH,
				       v4 ? codes4[why] : codes6[why]};
	uint16_t sum;

	_Static_assert(sizeof(header) + QUOTE_MAX <= SYN_ANSWER_MAX, "it fits");
	if (v4) {
		sum = internet_checksum(
			internet_sum(syn->bytes, quote, internet_sum(header, sizeof(header), 0)));
		memcpy(header + offsetof(struct icmp, icmp_cksum), &sum, sizeof(sum));
	}
	memcpy(out, header, sizeof(header));
	memcpy(out + sizeof(header), syn->bytes, quote);
	return sizeof(header) + quote;
}
