// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sockets: options and ioctls.
 *
 * The inner socket has every option first, and checks it. Those of SOL_SOCKET are sock_told.c's. Of
 * the others, the host's socket gets those that it has (a table), some mean nothing beyond the
 * guest, and the rest is refused, since the host would not honour it.
 */
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/sockios.h>
#include <linux/slab.h>
#include <linux/tcp.h>
#include <linux/uaccess.h>
#include <asm/ioctls.h>

#include "sock.h"

#define FC_OPTION_BYTES 512

enum fc_option_kind {
	FC_OPTION_NONE,
	FC_OPTION_HOST, /* the host's socket has it too */
	FC_OPTION_READ, /* the host's socket can be asked for it */
	FC_OPTION_GUEST, /* of no meaning for the host's socket: a hint, or about a queue that stays
			    empty */
};

static const struct fc_option_row {
	u8 level;
	u8 name;
	u8 kind;
} fc_option_rows[] = {
	{ IPPROTO_TCP, TCP_NODELAY, FC_OPTION_HOST },
	{ IPPROTO_TCP, TCP_CORK, FC_OPTION_HOST },
	{ IPPROTO_TCP, TCP_KEEPIDLE, FC_OPTION_HOST },
	{ IPPROTO_TCP, TCP_KEEPINTVL, FC_OPTION_HOST },
	{ IPPROTO_TCP, TCP_KEEPCNT, FC_OPTION_HOST },
	{ IPPROTO_TCP, TCP_SYNCNT, FC_OPTION_HOST },
	{ IPPROTO_TCP, TCP_LINGER2, FC_OPTION_HOST },
	{ IPPROTO_TCP, TCP_DEFER_ACCEPT, FC_OPTION_HOST },
	{ IPPROTO_TCP, TCP_QUICKACK, FC_OPTION_HOST },
	{ IPPROTO_TCP, TCP_USER_TIMEOUT, FC_OPTION_HOST },
	{ IPPROTO_TCP, TCP_NOTSENT_LOWAT, FC_OPTION_HOST },
	{ IPPROTO_TCP, TCP_INFO, FC_OPTION_READ },
	{ IPPROTO_TCP, TCP_MAXSEG, FC_OPTION_HOST },
	{ IPPROTO_TCP, TCP_FASTOPEN, FC_OPTION_GUEST },
	{ IPPROTO_TCP, TCP_CONGESTION, FC_OPTION_GUEST },
	{ IPPROTO_TCP, TCP_WINDOW_CLAMP, FC_OPTION_GUEST },
	{ IPPROTO_IP, IP_TOS, FC_OPTION_HOST },
	{ IPPROTO_IP, IP_TTL, FC_OPTION_HOST },
	{ IPPROTO_IP, IP_MTU_DISCOVER, FC_OPTION_HOST },
	{ IPPROTO_IP, IP_PKTINFO, FC_OPTION_HOST },
	{ IPPROTO_IP, IP_RECVTTL, FC_OPTION_HOST },
	{ IPPROTO_IP, IP_RECVTOS, FC_OPTION_HOST },
	{ IPPROTO_IP, IP_MTU, FC_OPTION_READ },
	{ IPPROTO_IP, IP_RECVERR, FC_OPTION_GUEST },
	{ IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, FC_OPTION_GUEST },
	{ IPPROTO_IP, IP_MULTICAST_TTL, FC_OPTION_GUEST },
	{ IPPROTO_IP, IP_MULTICAST_LOOP, FC_OPTION_GUEST },
	{ IPPROTO_IPV6, IPV6_V6ONLY, FC_OPTION_HOST },
	{ IPPROTO_IPV6, IPV6_UNICAST_HOPS, FC_OPTION_HOST },
	{ IPPROTO_IPV6, IPV6_TCLASS, FC_OPTION_HOST },
	{ IPPROTO_IPV6, IPV6_MTU_DISCOVER, FC_OPTION_HOST },
	{ IPPROTO_IPV6, IPV6_DONTFRAG, FC_OPTION_HOST },
	{ IPPROTO_IPV6, IPV6_RECVPKTINFO, FC_OPTION_HOST },
	{ IPPROTO_IPV6, IPV6_RECVHOPLIMIT, FC_OPTION_HOST },
	{ IPPROTO_IPV6, IPV6_RECVTCLASS, FC_OPTION_HOST },
	{ IPPROTO_IPV6, IPV6_MTU, FC_OPTION_READ },
	{ IPPROTO_IPV6, IPV6_RECVERR, FC_OPTION_GUEST },
	{ IPPROTO_IPV6, IPV6_MULTICAST_HOPS, FC_OPTION_GUEST },
	{ IPPROTO_IPV6, IPV6_MULTICAST_LOOP, FC_OPTION_GUEST },
};

static enum fc_option_kind fc_option_kind(int level, int name)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(fc_option_rows); i++)
		if (fc_option_rows[i].level == level && fc_option_rows[i].name == name)
			return fc_option_rows[i].kind;
	return FC_OPTION_NONE;
}

/* Locked. For when the host's socket is made. */
static int fc_option_keep(struct fc_sock *fs, int level, int name, int value)
{
	u32 i;

	if (!fs->options)
		fs->options = kcalloc(FC_SOCK_OPTIONS, sizeof(*fs->options), GFP_KERNEL_ACCOUNT);
	if (!fs->options)
		return -ENOMEM;
	for (i = 0; i < fs->n_options; i++)
		if (fs->options[i].level == level && fs->options[i].name == name)
			break;
	if (i == FC_SOCK_OPTIONS)
		return -ENOMEM;
	fs->options[i] = (struct fc_sock_option){ level, name, value };
	fs->n_options = max(fs->n_options, i + 1);
	return 0;
}

/* The inner socket has taken it. Bytes are allowed where IPv4's options are concerned. */
static int fc_option_pass(struct fc_sock *fs, int level, int name, sockptr_t value,
			  unsigned int length)
{
	u8 byte = 0;
	int number = 0;
	int ret;

	if (length >= sizeof(number))
		ret = copy_from_sockptr(&number, value, sizeof(number));
	else
		ret = copy_from_sockptr(&byte, value, min(length, 1u));
	if (ret)
		return -EFAULT;
	if (length < sizeof(number))
		number = byte;
	ret = fc_option_keep(fs, level, name, number);
	if (ret || !fc_sock_handle(fs))
		return ret;
	return fc_sock_exchange(fs, FC_OP_SETSOCKOPT, level | (u64)name << 32, &number,
				sizeof(number), 0);
}

int fc_sock_setsockopt(struct socket *sock, int level, int name, sockptr_t value,
		       unsigned int length)
{
	struct fc_sock *fs = fc_sock_of(sock);
	enum fc_option_kind kind = fc_option_kind(level, name);
	int ret;

	/* These put other operations in the place of ours, or hand ours to other sockets (TLS). */
	if ((level == IPPROTO_TCP && name == TCP_ULP) ||
	    (level == IPPROTO_IPV6 && name == IPV6_ADDRFORM))
		return -ENOPROTOOPT;
	/* UDP of newer kernels asks to see SOL_SOCKET too. */
	if (fc_sock_side(fs) == FC_SIDE_INNER || level == SOL_SOCKET)
		return fs->inner->setsockopt(sock, level, name, value, length);
	if (kind != FC_OPTION_HOST && kind != FC_OPTION_GUEST)
		return -ENOPROTOOPT;
	if (mutex_lock_killable(&fs->setup))
		return -EINTR;
	ret = fs->inner->setsockopt(sock, level, name, value, length);
	if (!ret && kind == FC_OPTION_HOST && fc_sock_side(fs) != FC_SIDE_INNER)
		ret = fc_option_pass(fs, level, name, value, length);
	mutex_unlock(&fs->setup);
	return ret;
}

static bool fc_option_is_hosts(const struct fc_sock *fs, enum fc_option_kind kind)
{
	if (kind != FC_OPTION_HOST && kind != FC_OPTION_READ)
		return false;
	if (fc_sock_dgram(fs))
		return READ_ONCE(fs->peer_side) == FC_SIDE_HOST;
	return fc_sock_side(fs) == FC_SIDE_HOST &&
	       (READ_ONCE(fs->conn) == FC_CONN_UP || READ_ONCE(fs->conn) == FC_CONN_PENDING);
}

int fc_sock_getsockopt(struct socket *sock, int level, int name, char __user *value,
		       int __user *length)
{
	struct fc_sock *fs = fc_sock_of(sock);
	u8 buf[FC_OPTION_BYTES] = {};
	int room, ret;

	/* What of UDP's own options could be asked for is what its users look for: segmentation. */
	if (fc_sock_side(fs) != FC_SIDE_INNER && level == SOL_UDP)
		return -ENOPROTOOPT;
	if (fc_sock_side(fs) == FC_SIDE_INNER ||
	    !fc_option_is_hosts(fs, fc_option_kind(level, name)))
		return fs->inner->getsockopt(sock, level, name, value, length);
	if (get_user(room, length))
		return -EFAULT;
	if (room < 0)
		return -EINVAL;
	room = min_t(int, room, sizeof(buf));
	ret = fc_sock_exchange(fs, FC_OP_GETSOCKOPT, level | (u64)name << 32, buf, 0, room);
	if (ret < 0)
		return ret;
	ret = min(ret, room);
	if (put_user(ret, length) || copy_to_user(value, buf, ret))
		return -EFAULT;
	return 0;
}

static int fc_sock_queue(struct fc_sock *fs, u32 name, int __user *user)
{
	int bytes = 0;
	int ret = fc_sock_exchange(fs, FC_OP_GETSOCKOPT, FC_SOL_QUEUES | (u64)name << 32, &bytes, 0,
				   sizeof(bytes));

	return ret < 0 ? ret : put_user(bytes, user);
}

static bool fc_ioctl_is_hosts(const struct fc_sock *fs)
{
	if (!fc_sock_dgram(fs))
		return fc_sock_side(fs) == FC_SIDE_HOST && READ_ONCE(fs->conn) == FC_CONN_UP;
	return fc_sock_handle(fs) && READ_ONCE(fs->peer_side) != FC_SIDE_INNER;
}

int fc_sock_ioctl(struct socket *sock, unsigned int cmd, unsigned long arg)
{
	struct fc_sock *fs = fc_sock_of(sock);
	int __user *user = (int __user *)arg;
	int bytes;

	if (!fc_ioctl_is_hosts(fs))
		return fs->inner->ioctl(sock, cmd, arg);
	switch (cmd) {
	case SIOCINQ:
		/* A datagram that waits inside is as good an answer. */
		if (fc_sock_dgram(fs) && READ_ONCE(fs->peer_side) == FC_SIDE_OPEN) {
			int ret = fs->inner->ioctl(sock, cmd, arg);

			if (ret || get_user(bytes, user) || bytes)
				return ret;
		}
		return fc_sock_queue(fs, FC_SO_UNREAD, user);
	case SIOCOUTQ:
	case SIOCOUTQNSD:
		return fc_sock_queue(fs, FC_SO_UNSENT, user);
	case SIOCATMARK:
		/* There are no urgent data. */
		return fc_sock_dgram(fs) ? -ENOIOCTLCMD : put_user(0, user);
	default:
		return fs->inner->ioctl(sock, cmd, arg);
	}
}
