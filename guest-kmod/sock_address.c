// SPDX-License-Identifier: GPL-2.0-only
/* Sockets: which addresses are the guest's own. */
#include <linux/in.h>
#include <linux/inetdevice.h>
#include <linux/netdevice.h>
#include <net/addrconf.h>
#include <net/inet_sock.h>
#include <net/ipv6.h>
#include <net/route.h>
#include <net/udp.h>

#include "sock.h"

/* An address of the socket's family, and whole. */
bool fc_address_fits(const struct fc_sock *fs, const struct sockaddr *address, int length)
{
	int family = fs->sock->sk->sk_family;
	int bytes = family == AF_INET ? sizeof(struct sockaddr_in) : SIN6_LEN_RFC2133;

	return length >= bytes && address->sa_family == family;
}

u16 fc_address_port(const struct sockaddr *address)
{
	/* The port is at the same place in both. */
	return ntohs(((const struct sockaddr_in *)address)->sin_port);
}

void fc_address_set_port(struct sockaddr *address, u16 port)
{
	((struct sockaddr_in *)address)->sin_port = htons(port);
}

static bool fc_is_guests4(struct net *net, __be32 address)
{
	return address == htonl(INADDR_ANY) || ipv4_is_loopback(address) ||
	       inet_addr_type(net, address) == RTN_LOCAL;
}

/* A peer there is a process of this guest, if there is one. The unspecified address means loopback.
 */
bool fc_address_is_guests(const struct fc_sock *fs, const struct sockaddr *address)
{
	struct net *net = sock_net(fs->sock->sk);
	const struct in6_addr *in6;

	if (address->sa_family == AF_INET)
		return fc_is_guests4(net, ((const struct sockaddr_in *)address)->sin_addr.s_addr);
	in6 = &((const struct sockaddr_in6 *)address)->sin6_addr;
	if (ipv6_addr_v4mapped(in6))
		return fc_is_guests4(net, in6->s6_addr32[3]);
	return ipv6_addr_any(in6) || ipv6_addr_loopback(in6) || ipv6_chk_addr(net, in6, NULL, 0);
}

static struct sock *fc_find_udp4(const struct fc_sock *fs, __be32 to, __be16 port)
{
	struct inet_sock *inet = inet_sk(fs->sock->sk);
	struct net *net = sock_net(fs->sock->sk);
	__be32 from = inet->inet_rcv_saddr;

	if (to == htonl(INADDR_ANY))
		to = htonl(INADDR_LOOPBACK);
	if (!from)
		from = ipv4_is_loopback(to) ? htonl(INADDR_LOOPBACK) : to;
	return udp4_lib_lookup(net, from, inet->inet_sport, to, port, net->loopback_dev->ifindex);
}

static struct sock *fc_find_udp6(const struct fc_sock *fs, const struct in6_addr *to, __be16 port)
{
	struct sock *sk = fs->sock->sk;
	struct net *net = sock_net(sk);
	const struct in6_addr *from;

	if (ipv6_addr_v4mapped(to))
		return fc_find_udp4(fs, to->s6_addr32[3], port);
	if (ipv6_addr_any(to))
		to = &in6addr_loopback;
	from = ipv6_addr_any(&sk->sk_v6_rcv_saddr) ? to : &sk->sk_v6_rcv_saddr;
	return udp6_lib_lookup(net, from, inet_sk(sk)->inet_sport, to, port,
			       net->loopback_dev->ifindex);
}

/* Would a datagram from this socket reach one of the guest's? */
bool fc_address_has_udp(const struct fc_sock *fs, const struct sockaddr *address)
{
	struct sock *found;

	rcu_read_lock();
	if (address->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)address;

		found = fc_find_udp4(fs, in->sin_addr.s_addr, in->sin_port);
	} else {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;

		found = fc_find_udp6(fs, &in6->sin6_addr, in6->sin6_port);
	}
	rcu_read_unlock();
	if (found)
		sock_put(found);
	return found;
}
