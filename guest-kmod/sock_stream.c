// SPDX-License-Identifier: GPL-2.0-only
/* Sockets: data of streams. */
#include <linux/uio.h>

#include "sock.h"

/* Memory that who waits for data may keep as long. The rest comes with a second command. */
#define FC_RECV_WAITING 16384u
/* What of recv()'s flags is the host's business. */
#define FC_RECV_FLAGS (MSG_PEEK | MSG_TRUNC)

/*
 * Sends a piece: bytes, or -errno. Never waits on the host: a command that was cancelled there
 * could not say how much it has sent.
 */
static int fc_send_piece(struct fc_sock *fs, struct msghdr *msg, u32 bytes)
{
	struct fc_command cmd = fc_sock_command(fs, FC_OP_SEND);
	u32 room = max(bytes, 8u);
	void *buf = fc_kbuf_wait(fs->kernel, room, true);
	int ret = -EFAULT;
	size_t copied;

	if (!buf)
		return -ENODEV;
	copied = copy_from_iter(buf, bytes, &msg->msg_iter);
	if (copied || !bytes) {
		cmd.buffer = fc_kbuf_offset(fs->kernel, buf);
		cmd.length = copied;
		cmd.op_flags = FC_MSG_DONTWAIT | (msg->msg_flags & MSG_MORE ? FC_MSG_MORE : 0);
		ret = fc_kcall(fs->kernel, &cmd, 0);
	}
	fc_kbuf_free(fs->kernel, buf, room);
	iov_iter_revert(&msg->msg_iter, copied - max(ret, 0));
	return ret;
}

static int fc_stream_send(struct fc_sock *fs, struct msghdr *msg, size_t length)
{
	long left = sock_sndtimeo(fs->sock->sk, msg->msg_flags & MSG_DONTWAIT);
	size_t sent = 0;
	int ret;

	if (fc_sock_refresh(fs))
		return -EINTR;
	WRITE_ONCE(fs->known, 0);
	do {
		ret = fc_send_piece(fs, msg, min_t(size_t, length - sent, FC_SOCK_CHUNK));
		if (ret == -EAGAIN && left) {
			ret = fc_sock_wait_host(fs, EPOLLOUT, &left);
			continue;
		}
		if (ret < 0)
			break;
		sent += ret;
	} while (ret >= 0 && sent < length);
	if (sent)
		return sent;
	/* -EPIPE: what has gone wrong, if nobody knows yet, and SIGPIPE. */
	return ret < 0 ? sk_stream_error(fs->sock->sk, msg->msg_flags, ret) : 0;
}

int fc_sock_sendmsg(struct socket *sock, struct msghdr *msg, size_t length)
{
	struct fc_sock *fs = fc_sock_of(sock);
	struct sock *sk = sock->sk;
	int ret;

	if (fc_sock_side(fs) == FC_SIDE_INNER)
		return fs->inner->sendmsg(sock, msg, length);
	if (fc_sock_dgram(fs))
		return fc_dgram_sendmsg(fs, msg, length);
	if (msg->msg_flags & MSG_FASTOPEN)
		return -EOPNOTSUPP;
	if (fc_sock_side(fs) == FC_SIDE_HOST) {
		ret = fc_sock_await_connection(fs,
					       sock_sndtimeo(sk, msg->msg_flags & MSG_DONTWAIT));
		if (ret)
			return ret;
	}
	if (READ_ONCE(fs->conn) != FC_CONN_UP)
		return fs->inner->sendmsg(sock, msg, length);
	if ((msg->msg_flags & MSG_OOB) ||
	    ((msg->msg_flags & MSG_ZEROCOPY) && sock_flag(sk, SOCK_ZEROCOPY)))
		return -EOPNOTSUPP;
	return fc_stream_send(fs, msg, length);
}

/* One command. *left: jiffies that it may wait; less afterwards. */
static int fc_recv_once(struct fc_sock *fs, void *buf, u32 bytes, int flags, long *left)
{
	struct fc_command cmd = fc_sock_command(fs, FC_OP_RECV);
	unsigned long begun = jiffies;
	long passed;
	int ret;

	cmd.buffer = fc_kbuf_offset(fs->kernel, buf);
	cmd.length = bytes;
	cmd.op_flags = flags;
	if (flags & MSG_DONTWAIT)
		return fc_kcall(fs->kernel, &cmd, 0);
	cmd.deadline = fc_sock_deadline(*left);
	ret = fc_kcall(fs->kernel, &cmd, FC_KCALL_INTR);
	if (ret == -ERESTARTSYS)
		return fc_sock_signal(*left);
	if (!cmd.deadline)
		return ret;
	passed = jiffies - begun;
	*left = max(0L, *left - passed);
	/* That was the deadline, or a peer that does not answer any more. */
	return ret == -ETIMEDOUT && jiffies_to_usecs(passed + 2) >= cmd.deadline ? -EAGAIN : ret;
}

static int fc_recv_copy(struct msghdr *msg, const void *buf, int bytes, int flags)
{
	/* Of a stream, MSG_TRUNC throws away. */
	if (flags & MSG_TRUNC)
		return bytes;
	if (!bytes)
		return 0;
	bytes = copy_to_iter(buf, bytes, &msg->msg_iter);
	return bytes ?: -EFAULT;
}

/*
 * Receives at most `bytes`. Who waits keeps its buffer as long, so it may have none that others
 * wait for; when there is none left it waits without, and then asks again.
 */
static int fc_recv_piece(struct fc_sock *fs, struct msghdr *msg, u32 bytes, int flags, long *left)
{
	u32 room = max(bytes, 8u);
	void *buf;
	int ret;

	/* What has left the host's socket must find its place. */
	if (bytes && !(flags & MSG_TRUNC)) {
		bytes -= fault_in_iov_iter_writeable(&msg->msg_iter, bytes);
		if (!bytes)
			return -EFAULT;
	}
	for (;;) {
		buf = *left ? fc_kbuf_alloc(fs->kernel, room) : NULL;
		if (!buf) {
			flags |= MSG_DONTWAIT;
			buf = fc_kbuf_wait(fs->kernel, room, true);
		}
		if (!buf)
			return -ENODEV;
		ret = fc_recv_once(fs, buf, bytes, flags, left);
		if (ret > 0)
			ret = fc_recv_copy(msg, buf, min_t(int, ret, bytes), flags);
		fc_kbuf_free(fs->kernel, buf, room);
		if (ret != -EAGAIN || !*left)
			return ret;
		ret = fc_sock_wait_host(fs, EPOLLIN | EPOLLRDHUP, left);
		if (ret)
			return ret;
	}
}

static int fc_stream_recv(struct fc_sock *fs, struct msghdr *msg, size_t length, int flags)
{
	long left = sock_rcvtimeo(fs->sock->sk, flags & MSG_DONTWAIT);
	int passed = flags & FC_RECV_FLAGS;
	size_t got = 0, enough = sock_rcvlowat(fs->sock->sk, flags & MSG_WAITALL, length);
	u32 piece;
	int ret;

	if (fc_sock_refresh(fs))
		return -EINTR;
	/* Looking takes nothing, so the host may wait for all of it. */
	if ((flags & MSG_WAITALL) && (flags & MSG_PEEK))
		passed |= MSG_WAITALL;
	do {
		WRITE_ONCE(fs->known, 0);
		piece = left && !(flags & MSG_PEEK) ? FC_RECV_WAITING : FC_SOCK_CHUNK;
		piece = min_t(size_t, length - got, piece);
		ret = fc_recv_piece(fs, msg, piece, passed, &left);
		if (ret <= 0)
			break;
		got += ret;
		/* The rest, if it is there. */
		if (got >= enough)
			left = 0;
	} while (got < length && (left || ret == piece) && !(flags & MSG_PEEK));
	if (got)
		return got;
	if (ret == 0 || ret == -EAGAIN)
		return sock_error(fs->sock->sk) ?: ret;
	return ret;
}

int fc_sock_recvmsg(struct socket *sock, struct msghdr *msg, size_t length, int flags)
{
	struct fc_sock *fs = fc_sock_of(sock);
	int ret;

	if (fc_sock_side(fs) == FC_SIDE_INNER || (flags & MSG_ERRQUEUE))
		return fs->inner->recvmsg(sock, msg, length, flags);
	if (fc_sock_dgram(fs))
		return fc_dgram_recvmsg(fs, msg, length, flags);
	if (fc_sock_side(fs) == FC_SIDE_HOST) {
		ret = fc_sock_await_connection(fs, sock_rcvtimeo(sock->sk, flags & MSG_DONTWAIT));
		if (ret)
			return ret;
	}
	if (READ_ONCE(fs->conn) != FC_CONN_UP)
		return fs->inner->recvmsg(sock, msg, length, flags);
	if (flags & MSG_OOB)
		return -EINVAL;
	return fc_stream_recv(fs, msg, length, flags);
}
