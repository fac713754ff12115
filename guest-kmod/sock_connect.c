// SPDX-License-Identifier: GPL-2.0-only
/* Sockets: connect() of streams. Its states follow inet_stream_connect(), which programs know. */
#include <linux/in.h>
#include <linux/sched/signal.h>
#include <linux/tcp.h>
#include <net/tcp_states.h>

#include "sock.h"

/* Loopback answers at once, unless the listener's backlog is full. */
#define FC_INSIDE_WAIT (HZ / 50)
#define FC_POST_WAIT (5 * HZ)

static void fc_connect_done(struct fc_kop *op, s32 result, u8 event_flags)
{
	struct fc_sock *fs = container_of(op, struct fc_sock, connect);
	struct sock *sk = fs->sock->sk;

	fc_kbuf_free(fs->kernel, fs->connect_address, sizeof(struct sockaddr_storage));
	if (result < 0) {
		/* Nobody in the guest listens there, and what the host forbids is none of the
		 * program's business. */
		if (result == -EPERM && fs->refused_inside)
			result = -ECONNREFUSED;
		WRITE_ONCE(sk->sk_err, result == -ECANCELED ? ECONNABORTED : -result);
		WRITE_ONCE(sk->sk_shutdown, SHUTDOWN_MASK);
		smp_store_release(&fs->conn, FC_CONN_FAILED);
		fc_sock_wake(fs, FC_SOCK_POLL_ALL | EPOLLERR | EPOLLHUP);
	} else {
		smp_store_release(&fs->conn, FC_CONN_UP);
		/* Pairs with fc_sock_start_watch(). */
		smp_mb();
		if (READ_ONCE(fs->wanted) || sock_flag(sk, SOCK_FASYNC))
			fc_sock_start_watch(fs);
		fc_sock_wake(fs, EPOLLOUT | EPOLLWRNORM);
	}
	fc_sock_op_put(fs);
}

/* Room may be wanting for a moment. */
static int fc_connect_post(struct fc_sock *fs)
{
	unsigned long until = jiffies + FC_POST_WAIT;
	int ret = fc_kop_start(fs->kernel, &fs->connect);

	while (ret == -EAGAIN && time_before(jiffies, until) && !fatal_signal_pending(current)) {
		schedule_timeout_uninterruptible(1);
		ret = fc_kop_start(fs->kernel, &fs->connect);
	}
	return ret;
}

/* Locked. */
static int fc_connect_start(struct fc_sock *fs, const struct sockaddr *address, int length)
{
	void *buf = fc_kbuf_alloc(fs->kernel, sizeof(struct sockaddr_storage));
	int ret;

	if (!buf)
		return -ENOBUFS;
	length = min_t(int, length, sizeof(struct sockaddr_storage));
	memcpy(buf, address, length);
	memset(&fs->connect, 0, sizeof(fs->connect));
	fs->connect.cmd = fc_sock_command(fs, FC_OP_CONNECT);
	fs->connect.cmd.buffer = fc_kbuf_offset(fs->kernel, buf);
	fs->connect.cmd.length = length;
	fs->connect.done = fc_connect_done;
	fs->connect_address = buf;
	fs->sock->state = SS_CONNECTING;
	WRITE_ONCE(fs->conn, FC_CONN_PENDING);
	WRITE_ONCE(fs->side, FC_SIDE_HOST);
	fc_sock_op_get(fs);
	ret = fc_connect_post(fs);
	if (!ret)
		return 0;
	fs->sock->state = SS_UNCONNECTED;
	WRITE_ONCE(fs->conn, FC_CONN_NONE);
	WRITE_ONCE(fs->side, FC_SIDE_OPEN);
	fc_kbuf_free(fs->kernel, buf, sizeof(struct sockaddr_storage));
	fc_sock_op_put(fs);
	return ret;
}

/* Locked. Tells, once, how it ended; -EINPROGRESS: not yet. */
static int fc_connect_outcome(struct fc_sock *fs)
{
	struct sock *sk = fs->sock->sk;
	int err;

	switch (smp_load_acquire(&fs->conn)) {
	case FC_CONN_PENDING:
		return -EINPROGRESS;
	case FC_CONN_UP:
		err = fs->sock->state == SS_CONNECTED ? -EISCONN : 0;
		fs->sock->state = SS_CONNECTED;
		return err;
	case FC_CONN_NONE:
		/* Somebody else has been told, and may have gone on since. */
		return -ECONNABORTED;
	default:
		err = sock_error(sk);
		WRITE_ONCE(sk->sk_shutdown, 0);
		fs->sock->state = SS_UNCONNECTED;
		WRITE_ONCE(fs->conn, FC_CONN_NONE);
		WRITE_ONCE(fs->side, FC_SIDE_OPEN);
		return err ?: -ECONNABORTED;
	}
}

/* What sends and receives do meanwhile. 0: the outcome is there. */
int fc_sock_await_connection(struct fc_sock *fs, long timeout)
{
	long left = timeout;

	if (READ_ONCE(fs->conn) != FC_CONN_PENDING)
		return 0;
	if (timeout)
		left = wait_event_interruptible_timeout(
			fs->sock->wq.wait, READ_ONCE(fs->conn) != FC_CONN_PENDING, timeout);
	if (left < 0)
		return fc_sock_signal(timeout);
	return left ? 0 : -EAGAIN;
}

/*
 * Locked. Tries a peer in the guest: -ECONNREFUSED, and nothing has happened; -EINPROGRESS: the
 * connection is there or on its way, and the socket is an inner one; else an error.
 */
static int fc_connect_inside(struct fc_sock *fs, struct sockaddr *address, int length)
{
	struct socket *sock = fs->sock;
	struct sock *sk = sock->sk;
	int ret = fs->inner->connect(sock, address, length, O_NONBLOCK);

	if (ret && ret != -EINPROGRESS)
		return ret;
	/* A signal is looked at by the call of the inner socket that follows. */
	(void)wait_event_interruptible_timeout(
		sock->wq.wait, READ_ONCE(sk->sk_state) != TCP_SYN_SENT, FC_INSIDE_WAIT);
	if (READ_ONCE(sk->sk_state) == TCP_CLOSE) {
		/* Asks for the error, as which it is over. */
		ret = fs->inner->connect(sock, address, length, O_NONBLOCK);
		if (ret)
			return ret;
	}
	fc_sock_set_inner(fs);
	return -EINPROGRESS;
}

/* Locked. Takes a connection back. */
static int fc_connect_dissolve(struct fc_sock *fs, struct sockaddr *address, int length, int flags)
{
	struct sockaddr_storage none = { .ss_family = AF_UNSPEC };
	int ret;

	if (fc_sock_side(fs) != FC_SIDE_HOST) {
		ret = fs->inner->connect(fs->sock, address, length, flags);
		if (ret || fc_sock_side(fs) != FC_SIDE_BOTH)
			return ret;
		/* A listener is none any more. */
		WRITE_ONCE(fs->side, FC_SIDE_OPEN);
		fc_sock_close_host(fs);
		return 0;
	}
	if (READ_ONCE(fs->conn) != FC_CONN_UP) {
		/* The end of the host's socket is the end of what it was about to do. */
		fc_sock_close_host(fs);
		wait_event(fs->sock->wq.wait, READ_ONCE(fs->conn) != FC_CONN_PENDING);
		fc_connect_outcome(fs);
		return 0;
	}
	ret = fc_sock_exchange(fs, FC_OP_CONNECT, 0, &none, sizeof(struct sockaddr_in), 0);
	if (ret)
		return ret;
	/* Data that nobody has read are an error of the next receive. */
	fc_sock_fetch_error(fs);
	WRITE_ONCE(fs->known, 0);
	fs->sock->state = SS_UNCONNECTED;
	WRITE_ONCE(fs->conn, FC_CONN_NONE);
	WRITE_ONCE(fs->side, FC_SIDE_OPEN);
	return 0;
}

/* Locked; waits for no peer. -EINPROGRESS: it goes on, on the socket's side; else it is over. */
static int fc_connect_begin(struct fc_sock *fs, struct sockaddr *address, int length, int flags)
{
	int ret;

	if (length < (int)sizeof(address->sa_family))
		return -EINVAL;
	if (address->sa_family == AF_UNSPEC)
		return fc_connect_dissolve(fs, address, length, flags);
	if (fc_sock_side(fs) == FC_SIDE_HOST) {
		ret = fc_connect_outcome(fs);
		return ret == -EINPROGRESS && (flags & O_NONBLOCK) ? -EALREADY : ret;
	}
	if (fc_sock_side(fs) != FC_SIDE_OPEN || !fc_address_fits(fs, address, length))
		return fs->inner->connect(fs->sock, address, length, flags | O_NONBLOCK);
	fs->refused_inside = false;
	if (fc_address_is_guests(fs, address)) {
		ret = fc_connect_inside(fs, address, length);
		if (ret != -ECONNREFUSED)
			return ret;
		fs->refused_inside = true;
	}
	ret = fc_sock_open_host(fs);
	if (!ret)
		ret = fc_connect_start(fs, address, length);
	else if (ret == -EPERM)
		return fs->refused_inside ?
			       -ECONNREFUSED :
			       fs->inner->connect(fs->sock, address, length, flags | O_NONBLOCK);
	return ret ?: -EINPROGRESS;
}

int fc_sock_connect(struct socket *sock, struct sockaddr *address, int length, int flags)
{
	struct fc_sock *fs = fc_sock_of(sock);
	int ret;

	if (fc_sock_dgram(fs))
		return fc_dgram_connect(fs, address, length, flags);
	if (fc_sock_side(fs) == FC_SIDE_INNER)
		return fs->inner->connect(sock, address, length, flags);
	if (mutex_lock_killable(&fs->setup))
		return -EINTR;
	ret = fc_connect_begin(fs, address, length, flags);
	mutex_unlock(&fs->setup);
	if (ret != -EINPROGRESS || (flags & O_NONBLOCK))
		return ret;
	if (fc_sock_side(fs) != FC_SIDE_HOST)
		return fs->inner->connect(sock, address, length, flags);
	ret = fc_sock_await_connection(fs, sock_sndtimeo(sock->sk, false));
	if (ret)
		return ret == -EAGAIN ? -EINPROGRESS : ret;
	if (mutex_lock_killable(&fs->setup))
		return -EINTR;
	ret = fc_connect_outcome(fs);
	mutex_unlock(&fs->setup);
	return ret;
}
