// SPDX-License-Identifier: GPL-2.0-only
/* Sockets: datagrams. Each goes to a process of the guest, if one has its port, else to the host.
 */
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/uio.h>

#include "sock.h"

#define FC_DGRAM_MAX 65535u

/* In front of the data of SENDMSG and RECVMSG. */
struct fc_dgram_head {
	struct fc_msg msg;
	struct fc_ancillary ancillary;
	struct fc_iov piece;
	struct sockaddr_storage name;
};

/* Memory for a datagram. NULL: none, for one of the very long ones. */
static struct fc_dgram_head *fc_dgram_alloc(struct fc_sock *fs, u32 bytes)
{
	bytes += sizeof(struct fc_dgram_head);
	return bytes <= FC_KBUF_WAIT_MAX ? fc_kbuf_wait(fs->kernel, bytes, true) :
					   fc_kbuf_alloc(fs->kernel, bytes);
}

static void fc_dgram_free(struct fc_sock *fs, struct fc_dgram_head *head, u32 bytes)
{
	fc_kbuf_free(fs->kernel, head, sizeof(*head) + bytes);
}

static int fc_dgram_call(struct fc_sock *fs, struct fc_dgram_head *head, u8 opcode, u32 bytes,
			 u32 name_bytes, u16 flags)
{
	struct fc_command cmd = fc_sock_command(fs, opcode);
	u64 at = fc_kbuf_offset(fs->kernel, head);

	memset(&head->msg, 0, sizeof(head->msg));
	head->msg.name.buffer = at + offsetof(struct fc_dgram_head, name);
	head->msg.name.length = name_bytes;
	head->msg.iov = at + offsetof(struct fc_dgram_head, piece);
	head->msg.iov_count = 1;
	head->msg.ancillary = sizeof(head->ancillary);
	head->piece.buffer = at + sizeof(*head);
	head->piece.region = 0;
	head->piece.length = bytes;
	cmd.buffer = at;
	cmd.length = sizeof(head->msg) + sizeof(head->ancillary);
	cmd.op_flags = flags;
	return fc_kcall(fs->kernel, &cmd, 0);
}

static int fc_dgram_send_host(struct fc_sock *fs, struct msghdr *msg, size_t length,
			      const struct fc_ancillary *ancillary)
{
	u32 name_bytes =
		min_t(u32, msg->msg_name ? msg->msg_namelen : 0, sizeof(struct sockaddr_storage));
	struct fc_dgram_head *head;
	int ret = -EFAULT;

	if (length > FC_DGRAM_MAX)
		return -EMSGSIZE;
	head = fc_dgram_alloc(fs, length);
	if (!head)
		return -ENOBUFS;
	head->ancillary = *ancillary;
	if (name_bytes)
		memcpy(&head->name, msg->msg_name, name_bytes);
	if (copy_from_iter_full(head + 1, length, &msg->msg_iter))
		ret = fc_dgram_call(fs, head, FC_OP_SENDMSG, length, name_bytes,
				    FC_MSG_DONTWAIT |
					    (msg->msg_flags & MSG_MORE ? FC_MSG_MORE : 0));
	fc_dgram_free(fs, head, length);
	return ret;
}

static int fc_dgram_open_host(struct fc_sock *fs)
{
	int ret;

	if (fc_sock_handle(fs) && !fc_sock_stale(fs))
		return 0;
	if (mutex_lock_killable(&fs->setup))
		return -EINTR;
	ret = fc_sock_open_host(fs);
	mutex_unlock(&fs->setup);
	return ret;
}

/* Where a datagram without a name, or to this one, goes. */
static enum fc_side fc_dgram_side(const struct fc_sock *fs, const struct msghdr *msg)
{
	const struct sockaddr *to = msg->msg_name;

	if (!to)
		return READ_ONCE(fs->peer_side);
	/* What is wrong with it the guest's kernel says. */
	if (!fc_address_fits(fs, to, msg->msg_namelen) || !fc_address_port(to))
		return FC_SIDE_INNER;
	if (fc_address_is_guests(fs, to) && fc_address_has_udp(fs, to))
		return FC_SIDE_INNER;
	return FC_SIDE_HOST;
}

int fc_dgram_sendmsg(struct fc_sock *fs, struct msghdr *msg, size_t length)
{
	bool dontwait = msg->msg_flags & MSG_DONTWAIT;
	long left = sock_sndtimeo(fs->sock->sk, dontwait);
	struct fc_ancillary ancillary;
	int ret;

	if (fc_dgram_side(fs, msg) != FC_SIDE_HOST || fc_sock_guests_alone(fs))
		return fs->inner->sendmsg(fs->sock, msg, length);
	if ((msg->msg_flags & MSG_OOB) && fs->sock->sk->sk_family == AF_INET)
		return -EOPNOTSUPP;
	ret = sock_error(fs->sock->sk) ?: fc_dgram_open_host(fs);
	if (!ret)
		ret = fc_ancillary_take(fs, msg, &ancillary);
	while (!ret) {
		ret = fc_dgram_send_host(fs, msg, length, &ancillary);
		if (ret != -EAGAIN || !left)
			break;
		iov_iter_revert(&msg->msg_iter, length);
		ret = fc_sock_wait_host(fs, EPOLLOUT, &left);
	}
	if (ret != -EPERM ||
	    (msg->msg_name && !fc_address_is_guests(fs, msg->msg_name) && !READ_ONCE(fs->no_host)))
		return ret;
	/* The host does not let it through; nobody is there in the guest either, and that is all
	 * that a program may know. */
	iov_iter_revert(&msg->msg_iter, length - msg_data_left(msg));
	return fs->inner->sendmsg(fs->sock, msg, length);
}

struct fc_dgram_recv {
	struct msghdr *msg;
	size_t length;
	int flags;
};

static int fc_dgram_recv_host(struct fc_sock *fs, struct fc_dgram_recv *call)
{
	u32 bytes = min_t(size_t, call->length, FC_DGRAM_MAX);
	struct fc_dgram_head *head = fc_dgram_alloc(fs, bytes);
	struct msghdr *msg = call->msg;
	int copy, ret;

	if (!head)
		return -ENOBUFS;
	memset(&head->ancillary, 0, sizeof(head->ancillary));
	WRITE_ONCE(fs->known, 0);
	/* TRUNC: how long it was decides whether it was cut. */
	ret = fc_dgram_call(fs, head, FC_OP_RECVMSG, bytes, sizeof(head->name),
			    FC_MSG_DONTWAIT | FC_MSG_TRUNC | (call->flags & MSG_PEEK));
	if (ret >= 0) {
		copy = min_t(int, ret, bytes);
		if (ret > copy)
			msg->msg_flags |= MSG_TRUNC;
		if (msg->msg_name) {
			msg->msg_namelen = min_t(u32, head->msg.name_length, sizeof(head->name));
			memcpy(msg->msg_name, &head->name, msg->msg_namelen);
		}
		fc_ancillary_put(fs, msg, &head->ancillary);
		if (copy_to_iter(head + 1, copy, &msg->msg_iter) != copy)
			ret = -EFAULT;
		else if (!(call->flags & MSG_TRUNC))
			ret = copy;
	}
	fc_dgram_free(fs, head, bytes);
	return ret;
}

static int fc_dgram_recv_inside(struct fc_sock *fs, struct fc_dgram_recv *call)
{
	return fs->inner->recvmsg(fs->sock, call->msg, call->length, call->flags | MSG_DONTWAIT);
}

/* From either side, in turn; but a peer is on one of them. */
static int fc_dgram_try(struct fc_sock *fs, void *data)
{
	struct fc_dgram_recv *call = data;
	enum fc_side peer = READ_ONCE(fs->peer_side);
	bool host_first = !fs->turn;
	int ret;

	if (peer == FC_SIDE_INNER || !fc_sock_handle(fs) || fc_sock_guests_alone(fs))
		return fc_dgram_recv_inside(fs, call);
	if (peer == FC_SIDE_HOST) {
		ret = sock_error(fs->sock->sk);
		return ret ?: fc_dgram_recv_host(fs, call);
	}
	fs->turn = host_first;
	ret = host_first ? fc_dgram_recv_host(fs, call) : fc_dgram_recv_inside(fs, call);
	if (ret != -EAGAIN)
		return ret;
	return host_first ? fc_dgram_recv_inside(fs, call) : fc_dgram_recv_host(fs, call);
}

int fc_dgram_recvmsg(struct fc_sock *fs, struct msghdr *msg, size_t length, int flags)
{
	struct fc_dgram_recv call = { .msg = msg, .length = length, .flags = flags };

	if (fc_sock_refresh(fs))
		return -EINTR;
	return fc_sock_wait_both(fs, sock_rcvtimeo(fs->sock->sk, flags & MSG_DONTWAIT),
				 fc_dgram_try, &call);
}

/* Locked. Ends what connect() said before. */
static int fc_dgram_disconnect(struct fc_sock *fs)
{
	struct sockaddr_storage none = { .ss_family = AF_UNSPEC };
	int ret = fs->inner->connect(fs->sock, (struct sockaddr *)&none, sizeof(struct sockaddr_in),
				     0);

	if (!ret && fc_sock_handle(fs))
		ret = fc_sock_exchange(fs, FC_OP_CONNECT, 0, &none, sizeof(struct sockaddr_in), 0);
	if (!ret)
		WRITE_ONCE(fs->peer_side, FC_SIDE_OPEN);
	return ret;
}

/* Locked. */
static int fc_dgram_connect_locked(struct fc_sock *fs, struct sockaddr *address, int length,
				   int flags)
{
	bool guests;
	int ret;

	if (length >= (int)sizeof(address->sa_family) && address->sa_family == AF_UNSPEC)
		return fc_dgram_disconnect(fs);
	if (!fc_address_fits(fs, address, length))
		return fs->inner->connect(fs->sock, address, length, flags);
	guests = fc_address_is_guests(fs, address);
	ret = -EPERM;
	if (!guests || (!fc_address_has_udp(fs, address) && fc_address_port(address)))
		ret = fc_sock_open_host(fs);
	if (!ret) {
		struct sockaddr_storage copy = {};

		length = min_t(int, length, sizeof(copy));
		memcpy(&copy, address, length);
		ret = fc_sock_exchange(fs, FC_OP_CONNECT, 0, &copy, length, 0);
		if (!ret)
			WRITE_ONCE(fs->peer_side, FC_SIDE_HOST);
		if (ret != -EPERM || !guests)
			return ret;
	}
	if (ret != -EPERM)
		return ret;
	ret = fs->inner->connect(fs->sock, address, length, flags);
	if (!ret)
		WRITE_ONCE(fs->peer_side, FC_SIDE_INNER);
	return ret;
}

int fc_dgram_connect(struct fc_sock *fs, struct sockaddr *address, int length, int flags)
{
	int ret;

	if (mutex_lock_killable(&fs->setup))
		return -EINTR;
	ret = fc_dgram_connect_locked(fs, address, length, flags);
	WRITE_ONCE(fs->known, 0);
	mutex_unlock(&fs->setup);
	return ret;
}
