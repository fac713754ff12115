// SPDX-License-Identifier: GPL-2.0-only
/* Sockets: accept(), from both sides of a listener. */
#include <linux/fcntl.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/module.h>
#include <linux/version.h>

#include "sock.h"

struct fc_accept {
	struct socket *newsock;
	int flags;
	void *arg; /* as the kernel at hand wants it */
};

/* A connection from inside is a plain socket of the guest. */
static int fc_accept_inside(struct fc_sock *fs, struct fc_accept *call, int flags)
{
	int ret;

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 10, 0)
	struct proto_accept_arg *arg = call->arg;
	int asked = arg->flags;

	arg->flags = flags;
	ret = fs->inner->accept(fs->sock, call->newsock, arg);
	arg->flags = asked;
#else
	ret = fs->inner->accept(fs->sock, call->newsock, flags, *(bool *)call->arg);
#endif
	if (!ret)
		fc_sock_unwrap(call->newsock, fs->inner);
	return ret;
}

/* What a child has from its listener; its host's socket has the rest. */
static void fc_accept_inherit(struct sock *child, const struct sock *sk)
{
	child->sk_rcvtimeo = sk->sk_rcvtimeo;
	child->sk_sndtimeo = sk->sk_sndtimeo;
	child->sk_reuse = sk->sk_reuse;
	child->sk_reuseport = sk->sk_reuseport;
	child->sk_rcvlowat = sk->sk_rcvlowat;
	child->sk_userlocks |= sk->sk_userlocks & (SOCK_SNDBUF_LOCK | SOCK_RCVBUF_LOCK);
	child->sk_sndbuf = sk->sk_sndbuf;
	child->sk_rcvbuf = sk->sk_rcvbuf;
	child->sk_priority = sk->sk_priority;
	child->sk_lingertime = sk->sk_lingertime;
	sock_valbool_flag(child, SOCK_LINGER, sock_flag(sk, SOCK_LINGER));
	sock_valbool_flag(child, SOCK_KEEPOPEN, sock_flag(sk, SOCK_KEEPOPEN));
}

/* Gives *newsock a TCP socket's inside, which it needs for what generic code does with it. */
static int fc_accept_graft(struct fc_sock *fs, struct socket *newsock)
{
	struct socket *donor;
	struct sock *sk;
	int ret = sock_create(fs->sock->sk->sk_family, SOCK_STREAM, IPPROTO_TCP, &donor);

	if (ret)
		return ret;
	sk = donor->sk;
	donor->sk = NULL;
	sock_graft(sk, newsock);
	sock_release(donor);
	return 0;
}

static int fc_accept_adopt(struct fc_sock *fs, struct socket *newsock, u32 handle,
			   const struct sockaddr_storage *peer)
{
	struct fc_sock *child = fc_sock_alloc(fs->kernel, newsock, fs->inner);
	int ret;

	if (!child)
		return -ENOMEM;
	ret = fc_accept_graft(fs, newsock);
	if (ret) {
		fc_sock_free(child);
		return ret;
	}
	fc_accept_inherit(newsock->sk, fs->sock->sk);
	child->told = fs->told;
	child->handle = handle;
	child->side = FC_SIDE_HOST;
	child->conn = FC_CONN_UP;
	child->peer = *peer;
	child->peer_length = peer->ss_family == AF_INET ? sizeof(struct sockaddr_in) :
							  sizeof(struct sockaddr_in6);
	newsock->state = SS_CONNECTED;
	fc_sock_attach(child);
	return 0;
}

static int fc_accept_host(struct fc_sock *fs, struct fc_accept *call)
{
	struct fc_command cmd = fc_sock_command(fs, FC_OP_ACCEPT);
	struct sockaddr_storage peer;
	struct fc_command close = { .opcode = FC_OP_CLOSE };
	int handle, ret;

	WRITE_ONCE(fs->known, 0);
	cmd.op_flags = FC_MSG_DONTWAIT;
	handle = fc_sock_run(fs, &cmd, &peer, 0, sizeof(peer));
	if (handle < 0)
		return handle;
	ret = fc_accept_adopt(fs, call->newsock, handle, &peer);
	if (ret) {
		close.handle = handle;
		fc_kcall(fs->kernel, &close, 0);
	}
	return ret;
}

/* Each side in turn has the first look, so that neither starves. */
static int fc_accept_try(struct fc_sock *fs, void *data)
{
	struct fc_accept *call = data;
	bool host_first = !fs->turn;
	int ret;

	fs->turn = host_first;
	if (host_first) {
		ret = fc_accept_host(fs, call);
		if (ret != -EAGAIN)
			return ret;
	}
	ret = fc_accept_inside(fs, call, call->flags | O_NONBLOCK);
	if (ret != -EAGAIN || host_first)
		return ret;
	return fc_accept_host(fs, call);
}

int fc_sock_accept(struct socket *sock, struct socket *newsock, int flags, void *arg)
{
	struct fc_sock *fs = fc_sock_of(sock);
	struct fc_accept call = { .newsock = newsock, .flags = flags, .arg = arg };

	if (fc_sock_side(fs) != FC_SIDE_BOTH)
		return fc_accept_inside(fs, &call, flags);
	return fc_sock_wait_both(fs, sock_rcvtimeo(sock->sk, flags & O_NONBLOCK), fc_accept_try,
				 &call);
}
