// SPDX-License-Identifier: GPL-2.0-only
/* Sockets: FC_IOC_SOCKET, the operations, release. */
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/in.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "farcall.h"
#include "sock.h"

/* Sockets that were never finished (an accept() that failed) have no sk. */
static int fc_sock_release(struct socket *sock)
{
	struct fc_sock *fs = fc_sock_of(sock);
	const struct proto_ops *inner;

	if (!fs)
		return 0;
	inner = fs->inner;
	fc_sock_unhook(fs);
	cancel_delayed_work_sync(&fs->work);
	/* Nobody else is left: no lock. */
	fc_sock_linger(fs);
	fc_sock_close_host(fs);
	fc_sock_op_put(fs);
	wait_for_completion(&fs->idle);
	cancel_delayed_work_sync(&fs->work); /* a call-back may have asked for it; it did nothing */
	WRITE_ONCE(sock->sk->sk_user_data, NULL);
	fc_sock_free(fs);
	return inner->release(sock);
}

static int fc_sock_socketpair(struct socket *a, struct socket *b)
{
	return -EOPNOTSUPP;
}

static int fc_sock_set_rcvlowat(struct sock *sk, int value)
{
	struct fc_sock *fs = fc_sock_of(sk->sk_socket);

	if (fs && fs->inner->set_rcvlowat)
		return fs->inner->set_rcvlowat(sk, value);
	WRITE_ONCE(sk->sk_rcvlowat, value ?: 1);
	return 0;
}

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 10, 0)
static int fc_sock_accept_op(struct socket *sock, struct socket *newsock,
			     struct proto_accept_arg *arg)
{
	return fc_sock_accept(sock, newsock, arg->flags, arg);
}
#else
static int fc_sock_accept_op(struct socket *sock, struct socket *newsock, int flags, bool kern)
{
	return fc_sock_accept(sock, newsock, flags, &kern);
}
#endif

#ifdef CONFIG_COMPAT
static int fc_sock_compat_ioctl(struct socket *sock, unsigned int cmd, unsigned long arg)
{
	struct fc_sock *fs = fc_sock_of(sock);

	return fs->inner->compat_ioctl ? fs->inner->compat_ioctl(sock, cmd, arg) : -ENOIOCTLCMD;
}
#define FC_COMPAT_OPS .compat_ioctl = fc_sock_compat_ioctl,
#else
#define FC_COMPAT_OPS
#endif

/* Generic code looks at the family, so there is a table for each. */
#define FC_SOCK_OPS(name, af)                                                                      \
	static const struct proto_ops name = { .family = af,                                       \
					       .owner = THIS_MODULE,                               \
					       .release = fc_sock_release,                         \
					       .bind = fc_sock_bind,                               \
					       .connect = fc_sock_connect,                         \
					       .socketpair = fc_sock_socketpair,                   \
					       .accept = fc_sock_accept_op,                        \
					       .getname = fc_sock_getname,                         \
					       .poll = fc_sock_poll,                               \
					       .ioctl = fc_sock_ioctl,                             \
					       .gettstamp = sock_gettstamp,                        \
					       .listen = fc_sock_listen,                           \
					       .shutdown = fc_sock_shutdown,                       \
					       .setsockopt = fc_sock_setsockopt,                   \
					       .getsockopt = fc_sock_getsockopt,                   \
					       .sendmsg = fc_sock_sendmsg,                         \
					       .recvmsg = fc_sock_recvmsg,                         \
					       .mmap = sock_no_mmap,                               \
					       .set_rcvlowat = fc_sock_set_rcvlowat,               \
					       FC_COMPAT_OPS }
FC_SOCK_OPS(fc_sock_ops, PF_INET);
FC_SOCK_OPS(fc_sock_ops6, PF_INET6);

/* Nothing knows it until fc_sock_attach(). */
struct fc_sock *fc_sock_alloc(struct fc_kernel *k, struct socket *sock,
			      const struct proto_ops *inner)
{
	struct fc_sock *fs = kzalloc(sizeof(*fs), GFP_KERNEL_ACCOUNT);

	if (!fs)
		return NULL;
	fc_kernel_get(k);
	fs->kernel = k;
	fs->sock = sock;
	fs->inner = inner;
	mutex_init(&fs->setup);
	atomic_set(&fs->ops, 1);
	init_completion(&fs->idle);
	return fs;
}

void fc_sock_free(struct fc_sock *fs)
{
	fc_kernel_put(fs->kernel);
	kfree(fs->options);
	mutex_destroy(&fs->setup);
	kfree(fs);
}

/* The socket has its sk. */
void fc_sock_attach(struct fc_sock *fs)
{
	fc_sock_hook(fs);
	/* A listener's children must not take it for theirs. */
	WRITE_ONCE(fs->sock->sk->sk_user_data, (void *)((uintptr_t)fs | SK_USER_DATA_NOCOPY));
}

/* The socket's reference to the module of its operations goes with them. */
static void fc_sock_wrap(struct fc_sock *fs)
{
	struct socket *sock = fs->sock;

	__module_get(THIS_MODULE);
	WRITE_ONCE(sock->ops, sock->sk->sk_family == AF_INET ? &fc_sock_ops : &fc_sock_ops6);
	module_put(fs->inner->owner);
}

void fc_sock_unwrap(struct socket *sock, const struct proto_ops *inner)
{
	__module_get(inner->owner);
	WRITE_ONCE(sock->ops, inner);
	module_put(THIS_MODULE);
}

static int fc_sock_check(const struct fc_ioc_socket *arg, int *type)
{
	int own;

	*type = arg->type & ~(SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (arg->reserved)
		return -EINVAL;
	if (arg->family != AF_INET && arg->family != AF_INET6)
		return -EAFNOSUPPORT;
	if (*type != SOCK_STREAM && *type != SOCK_DGRAM)
		return -ESOCKTNOSUPPORT;
	own = *type == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP;
	return arg->protocol && arg->protocol != own ? -EPROTONOSUPPORT : 0;
}

static int fc_sock_make(struct fc_device *dev, const struct fc_ioc_socket *arg, int type,
			struct socket **out)
{
	struct fc_sock *fs;
	int ret = sock_create(arg->family, type, arg->protocol, out);

	if (ret)
		return ret;
	fs = fc_sock_alloc(dev->kernel, *out, (*out)->ops);
	if (!fs) {
		sock_release(*out);
		return -ENOMEM;
	}
	fc_sock_attach(fs);
	fc_sock_wrap(fs);
	return 0;
}

long fc_sock_create(struct fc_device *dev, const struct fc_ioc_socket __user *user)
{
	struct fc_ioc_socket arg;
	struct socket *sock;
	struct file *file;
	int type, fd, ret;

	if (copy_from_user(&arg, user, sizeof(arg)))
		return -EFAULT;
	ret = fc_sock_check(&arg, &type);
	if (ret)
		return ret;
	fd = get_unused_fd_flags(arg.type & SOCK_CLOEXEC ? O_CLOEXEC : 0);
	if (fd < 0)
		return fd;
	ret = fc_sock_make(dev, &arg, type, &sock);
	if (ret)
		goto put_fd;
	/* Releases the socket if it fails. */
	file = sock_alloc_file(sock, arg.type & SOCK_NONBLOCK ? O_NONBLOCK : 0, NULL);
	if (IS_ERR(file)) {
		ret = PTR_ERR(file);
		goto put_fd;
	}
	fd_install(fd, file);
	return fd;
put_fd:
	put_unused_fd(fd);
	return ret;
}
