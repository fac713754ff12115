// SPDX-License-Identifier: GPL-2.0-only
/* Sockets: the host's end of them, and commands to it. */
#include <linux/in.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/tcp.h>
#include <net/tcp_states.h>

#include "sock.h"

#define FC_LINGER_LOOK max(HZ / 200, 1)
#define FC_LONGEST_DEADLINE (60 * 60 * HZ) /* a deadline is 32 bits of microseconds */

struct fc_command fc_sock_command(const struct fc_sock *fs, u8 opcode)
{
	struct fc_command cmd = { .opcode = opcode, .handle = fc_sock_handle(fs) };

	return cmd;
}

/* A command without memory. */
int fc_sock_simple(struct fc_sock *fs, u8 opcode, u64 offset, u16 op_flags)
{
	struct fc_command cmd = fc_sock_command(fs, opcode);

	cmd.offset = offset;
	cmd.op_flags = op_flags;
	return fc_kcall(fs->kernel, &cmd, 0);
}

/*
 * A command that takes `in` bytes of data and gives at most `out`; what the host did not write is
 * zero. Its result, which may be larger than `out`.
 */
int fc_sock_run(struct fc_sock *fs, struct fc_command *cmd, void *data, u32 in, u32 out)
{
	u32 bytes = max3(in, out, 8u);
	void *buf = fc_kbuf_wait(fs->kernel, bytes, false);
	int ret;

	if (!buf)
		return -ENODEV;
	memset(buf, 0, bytes);
	memcpy(buf, data, in);
	cmd->buffer = fc_kbuf_offset(fs->kernel, buf);
	cmd->length = max(in, out);
	ret = fc_kcall(fs->kernel, cmd, 0);
	if (ret >= 0)
		memcpy(data, buf, out);
	fc_kbuf_free(fs->kernel, buf, bytes);
	return ret;
}

int fc_sock_exchange(struct fc_sock *fs, u8 opcode, u64 offset, void *data, u32 in, u32 out)
{
	struct fc_command cmd = fc_sock_command(fs, opcode);

	cmd.offset = offset;
	return fc_sock_run(fs, &cmd, data, in, out);
}

static void fc_sock_replay(struct fc_sock *fs)
{
	u32 i;

	/* An option that the host does not take was accepted while nobody knew: it is not worth the
	 * connection. */
	for (i = 0; i < fs->n_options; i++) {
		struct fc_sock_option *o = &fs->options[i];

		fc_sock_exchange(fs, FC_OP_SETSOCKOPT, o->level | (u64)o->name << 32, &o->value,
				 sizeof(o->value), 0);
	}
	memset(&fs->told, 0, sizeof(fs->told));
	fc_sock_tell(fs);
}

/* 0: there is one. -EPERM: the host lets this guest have none, or it is the guest's alone. */
int fc_sock_open_host(struct fc_sock *fs)
{
	u64 kind = fs->sock->sk->sk_family | (u64)fs->sock->type << 16;
	int ret;

	if (fc_sock_guests_alone(fs))
		return -EPERM;
	if (fc_sock_handle(fs)) {
		if (fc_sock_stale(fs))
			fc_sock_tell(fs);
		return 0;
	}
	if (fs->no_host)
		return -EPERM;
	ret = fc_sock_simple(fs, FC_OP_SOCKET, kind, 0);
	fs->no_host = ret == -EPERM || ret == -EAFNOSUPPORT;
	if (ret < 0)
		return fs->no_host ? -EPERM : ret;
	smp_store_release(&fs->handle, ret);
	fc_sock_replay(fs);
	/* Pairs with fc_sock_start_watch(). */
	smp_mb();
	if (fc_sock_dgram(fs) && READ_ONCE(fs->wanted)) {
		fc_sock_start_watch(fs);
		fc_sock_wake(fs, EPOLLIN | EPOLLRDNORM);
	}
	return 0;
}

/* The call-backs of what waits there come before it ends, or a little later. */
void fc_sock_close_host(struct fc_sock *fs)
{
	struct fc_command cmd = fc_sock_command(fs, FC_OP_CLOSE);

	if (!cmd.handle)
		return;
	smp_store_release(&fs->handle, 0);
	fs->host_bound = false;
	fc_kcall(fs->kernel, &cmd, 0);
}

/* Is anything that was sent not acknowledged yet, or the end of it? */
static bool fc_sock_ends(struct fc_sock *fs)
{
	u8 info[8]; /* struct tcp_info begins with the state */
	int ret = fc_sock_exchange(fs, FC_OP_GETSOCKOPT, IPPROTO_TCP | (u64)TCP_INFO << 32, info, 0,
				   sizeof(info));

	return ret > 0 &&
	       (info[0] == TCP_FIN_WAIT1 || info[0] == TCP_CLOSING || info[0] == TCP_LAST_ACK);
}

/*
 * SO_LINGER, before the last close: without a time the host's close resets the connection; with
 * one, we wait here, since a worker of the host must not. As tcp_close() does.
 */
void fc_sock_linger(struct fc_sock *fs)
{
	const struct sock *sk = fs->sock->sk;
	struct linger reset = { .l_onoff = 1 };
	unsigned long begun = jiffies;

	if (fc_sock_side(fs) != FC_SIDE_HOST || !fc_sock_handle(fs) || !sock_flag(sk, SOCK_LINGER))
		return;
	if (!sk->sk_lingertime) {
		fc_sock_exchange(fs, FC_OP_SETSOCKOPT, SOL_SOCKET | (u64)SO_LINGER << 32, &reset,
				 sizeof(reset), 0);
		return;
	}
	if (READ_ONCE(fs->conn) != FC_CONN_UP || (current->flags & PF_EXITING))
		return;
	if (fc_sock_simple(fs, FC_OP_SHUTDOWN, SHUT_WR, 0))
		return;
	while (jiffies - begun < sk->sk_lingertime && !signal_pending(current) && fc_sock_ends(fs))
		schedule_timeout_interruptible(FC_LINGER_LOOK);
}

/* From now on it is a plain socket of the guest. */
void fc_sock_set_inner(struct fc_sock *fs)
{
	WRITE_ONCE(fs->side, FC_SIDE_INNER);
	fc_sock_close_host(fs);
}

/* How a call ends that a signal has interrupted: as Linux's sockets do. */
int fc_sock_signal(long timeout)
{
	return sock_intr_errno(timeout);
}

/* 0: none, for a timeout that is not finite. */
u32 fc_sock_deadline(long timeout)
{
	if (timeout == MAX_SCHEDULE_TIMEOUT)
		return 0;
	return max(jiffies_to_usecs(min_t(long, timeout, FC_LONGEST_DEADLINE)), 1u);
}

/*
 * Sleeps until one of the events, or an error, is there; takes what has passed off *timeout
 * (jiffies). 0: look again; -EAGAIN: that was all of it; -EINTR, -ERESTARTSYS: a signal.
 */
int fc_sock_wait_host(struct fc_sock *fs, u32 events, long *timeout)
{
	struct fc_command cmd = fc_sock_command(fs, FC_OP_POLL);
	unsigned long begun = jiffies;
	int ret;

	/* Even if the answer is there at once, and not what the caller needs. */
	if (signal_pending(current))
		return fc_sock_signal(*timeout);
	cmd.offset = events;
	cmd.deadline = fc_sock_deadline(*timeout);
	ret = fc_kcall(fs->kernel, &cmd, FC_KCALL_INTR);
	if (ret == -ERESTARTSYS)
		return fc_sock_signal(*timeout);
	if (*timeout != MAX_SCHEDULE_TIMEOUT) {
		*timeout = max_t(long, 0, *timeout - (long)(jiffies - begun));
		if (ret == -ETIMEDOUT)
			return *timeout > 1 ? 0 : -EAGAIN;
	}
	return ret < 0 ? ret : 0;
}
