// SPDX-License-Identifier: GPL-2.0-only
/* Sockets: control messages of datagrams from and to the host. */
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/ipv6.h>
#include <linux/net_tstamp.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <linux/udp.h>
#include <net/sock.h>

#include "sock.h"

/* An interface of the host is none of the guest's, which has but this one. */
static int fc_loopback(const struct fc_sock *fs)
{
	return sock_net(fs->sock->sk)->loopback_dev->ifindex;
}

bool fc_sock_wants_time(const struct sock *sk)
{
	return sock_flag(sk, SOCK_RCVTSTAMP) ||
	       (READ_ONCE(sk->sk_tsflags) & SOF_TIMESTAMPING_RX_SOFTWARE);
}

/* The kernel's forms of a time are many, and it makes them from a packet. */
static void fc_put_time(const struct fc_sock *fs, struct msghdr *msg, u64 time)
{
	struct sk_buff *skb = alloc_skb(0, GFP_KERNEL);

	if (!skb)
		return;
	skb->tstamp = ns_to_ktime(time);
	sock_recv_timestamp(msg, fs->sock->sk, skb);
	consume_skb(skb);
}

static void fc_put_number(struct msghdr *msg, int level, int type, int value)
{
	put_cmsg(msg, level, type, sizeof(value), &value);
}

/* What came with a datagram of the host's, for the caller of recvmsg(). */
void fc_ancillary_put(const struct fc_sock *fs, struct msghdr *msg, const struct fc_ancillary *a)
{
	struct in_pktinfo info4 = { .ipi_ifindex = fc_loopback(fs) };
	struct in6_pktinfo info6 = { .ipi6_ifindex = fc_loopback(fs) };
	u8 tos = a->tos;

	if (a->present & FC_ANCILLARY_TIME)
		fc_put_time(fs, msg, a->time);
	if (a->present & FC_ANCILLARY_IPV6_PKTINFO) {
		memcpy(&info6.ipi6_addr, a->ipv6_local, sizeof(info6.ipi6_addr));
		put_cmsg(msg, SOL_IPV6, IPV6_PKTINFO, sizeof(info6), &info6);
	}
	if (a->present & FC_ANCILLARY_IPV6_HOPLIMIT)
		fc_put_number(msg, SOL_IPV6, IPV6_HOPLIMIT, a->hop_limit);
	if (a->present & FC_ANCILLARY_IPV6_TCLASS)
		fc_put_number(msg, SOL_IPV6, IPV6_TCLASS, a->traffic_class);
	if (a->present & FC_ANCILLARY_IP_PKTINFO) {
		memcpy(&info4.ipi_addr, a->ip_to, sizeof(info4.ipi_addr));
		memcpy(&info4.ipi_spec_dst, a->ip_local, sizeof(info4.ipi_spec_dst));
		put_cmsg(msg, SOL_IP, IP_PKTINFO, sizeof(info4), &info4);
	}
	if (a->present & FC_ANCILLARY_IP_TTL)
		fc_put_number(msg, SOL_IP, IP_TTL, a->ttl);
	if (a->present & FC_ANCILLARY_IP_TOS)
		put_cmsg(msg, SOL_IP, IP_TOS, sizeof(tos), &tos);
}

static bool fc_cmsg_is(const struct cmsghdr *cmsg, size_t bytes)
{
	return cmsg->cmsg_len == CMSG_LEN(bytes);
}

/* An int of 0 to 255; some may be a byte. */
static int fc_take_number(const struct cmsghdr *cmsg, bool byte, u8 *out)
{
	int value;

	if (byte && fc_cmsg_is(cmsg, sizeof(u8))) {
		*out = *(const u8 *)CMSG_DATA(cmsg);
		return 0;
	}
	if (!fc_cmsg_is(cmsg, sizeof(value)))
		return -EINVAL;
	memcpy(&value, CMSG_DATA(cmsg), sizeof(value));
	*out = value;
	return value < 0 || value > 255 ? -EINVAL : 0;
}

static int fc_take_ip(const struct fc_sock *fs, const struct cmsghdr *cmsg, struct fc_ancillary *a)
{
	struct in_pktinfo info;

	switch (cmsg->cmsg_type) {
	case IP_PKTINFO:
		if (!fc_cmsg_is(cmsg, sizeof(info)))
			return -EINVAL;
		memcpy(&info, CMSG_DATA(cmsg), sizeof(info));
		if (info.ipi_ifindex && info.ipi_ifindex != fc_loopback(fs))
			return -ENODEV;
		memcpy(a->ip_local, &info.ipi_spec_dst, sizeof(a->ip_local));
		a->present |= FC_ANCILLARY_IP_PKTINFO;
		return 0;
	case IP_TTL:
		a->present |= FC_ANCILLARY_IP_TTL;
		return fc_take_number(cmsg, false, &a->ttl) ?: a->ttl ? 0 : -EINVAL;
	case IP_TOS:
		a->present |= FC_ANCILLARY_IP_TOS;
		return fc_take_number(cmsg, true, &a->tos);
	default:
		return -EINVAL;
	}
}

static int fc_take_ipv6(const struct fc_sock *fs, const struct cmsghdr *cmsg,
			struct fc_ancillary *a)
{
	struct in6_pktinfo info;

	switch (cmsg->cmsg_type) {
	case IPV6_PKTINFO:
		if (cmsg->cmsg_len < CMSG_LEN(sizeof(info)))
			return -EINVAL;
		memcpy(&info, CMSG_DATA(cmsg), sizeof(info));
		if (info.ipi6_ifindex && (int)info.ipi6_ifindex != fc_loopback(fs))
			return -ENODEV;
		memcpy(a->ipv6_local, &info.ipi6_addr, sizeof(a->ipv6_local));
		a->present |= FC_ANCILLARY_IPV6_PKTINFO;
		return 0;
	case IPV6_HOPLIMIT:
		a->present |= FC_ANCILLARY_IPV6_HOPLIMIT;
		return fc_take_number(cmsg, false, &a->hop_limit);
	case IPV6_TCLASS:
		a->present |= FC_ANCILLARY_IPV6_TCLASS;
		return fc_take_number(cmsg, false, &a->traffic_class);
	default:
		return -EINVAL;
	}
}

/* What sendmsg() says, for the host. -EIO: as where no device helps with segmentation. */
int fc_ancillary_take(const struct fc_sock *fs, struct msghdr *msg, struct fc_ancillary *a)
{
	struct cmsghdr *cmsg;
	int ret = 0;

	memset(a, 0, sizeof(*a));
	if (!msg->msg_controllen)
		return 0;
	for_each_cmsghdr(cmsg, msg) {
		if (!CMSG_OK(msg, cmsg))
			return -EINVAL;
		if (cmsg->cmsg_level == SOL_IP)
			ret = fc_take_ip(fs, cmsg, a);
		else if (cmsg->cmsg_level == SOL_IPV6)
			ret = fc_take_ipv6(fs, cmsg, a);
		else if (cmsg->cmsg_level == SOL_UDP)
			ret = cmsg->cmsg_type == UDP_SEGMENT ? -EIO : -EINVAL;
		else if (cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type != SCM_RIGHTS &&
			 cmsg->cmsg_type != SCM_CREDENTIALS)
			ret = -EOPNOTSUPP;
		if (ret)
			return ret;
	}
	return 0;
}
