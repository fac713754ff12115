/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sockets of FC_IOC_SOCKET: sockets of the guest whose other end may be anywhere.
 *
 * Each is a real TCP or UDP socket of the guest's kernel, made as socket() makes it, with
 * operations of ours around those that it came with ("inner"). What is for a process of the same
 * guest goes to the inner operations; the rest goes to a socket of the host, behind a handle. So
 * all that generic code does with a struct sock (options of SOL_SOCKET, fasync, security, /proc) is
 * right by itself, and a socket that has found its peer in the guest is an ordinary one behind one
 * indirect call.
 *
 * Which side a socket is on
 *
 * TCP decides once: OPEN until connect() or listen(). A peer with an address of the guest is tried
 * inside first; who refuses there is looked for on the host. A listener whose port the host
 * publishes is on BOTH sides, and its inner connections become plain sockets. UDP decides for each
 * datagram, or once with connect() (peer_side).
 *
 * Readiness
 *
 * The watch is one multishot POLL of the host's socket, from the time that somebody waits in poll,
 * epoll, a loop of ours, or wants SIGIO. Each shot is an edge: it wakes whoever waits on the
 * socket. What is ready is asked of the host at that moment (FC_POLL_NOW), but where a shot has
 * just said so and being wrong does no harm (O_NONBLOCK).
 *
 * Lifetimes and locks
 *
 * fc_sock belongs to its struct sock (sk_user_data, never copied to children) until release(),
 * which closes the host's socket and waits until the last call-back has run ("ops"). setup: bind,
 * listen, connect, options, and the making of the host's socket; never held while waiting for a
 * peer. Data go without a lock of ours: the host serves the receives of one socket in their order,
 * and so the sends.
 */
#ifndef FARCALL_KMOD_SOCK_H
#define FARCALL_KMOD_SOCK_H

#include <linux/completion.h>
#include <linux/in6.h>
#include <linux/mutex.h>
#include <linux/net.h>
#include <linux/poll.h>
#include <linux/refcount.h>
#include <linux/socket.h>
#include <linux/workqueue.h>
#include <net/sock.h>

#include <farcall/abi.h>

#include "kcall.h"

#define FC_SOCK_CHUNK 65536u /* bytes of a stream that one command moves */
#define FC_SOCK_POLL_ALL                                                                           \
	(EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | EPOLLRDNORM | EPOLLRDBAND | EPOLLWRNORM |    \
	 EPOLLWRBAND)

enum fc_side {
	FC_SIDE_OPEN, /* not known yet; of a datagram socket: either */
	FC_SIDE_INNER, /* the guest's own, for good */
	FC_SIDE_HOST,
	FC_SIDE_BOTH, /* a listener */
};

enum fc_conn {
	FC_CONN_NONE,
	FC_CONN_PENDING,
	FC_CONN_UP,
	FC_CONN_FAILED, /* and nobody has asked why */
};

/* Options of SOL_SOCKET that the host's socket has too: set by generic code, carried over when they
 * differ. */
struct fc_sock_told {
	int reuse, keepalive, broadcast;
	int sndbuf, rcvbuf; /* as setsockopt() takes them; 0: never set */
	int lowat; /* less 1 */
	int time; /* of arrival, with each datagram */
};

/* Another option that is to be set once the host's socket is there. */
struct fc_sock_option {
	u8 level;
	u8 name;
	int value;
};
#define FC_SOCK_OPTIONS 40

struct fc_sock {
	struct fc_kernel *kernel;
	struct socket *sock;
	const struct proto_ops *inner;
	struct mutex setup;
	u32 handle; /* 0: none */
	u8 side; /* enum fc_side */
	u8 peer_side; /* datagrams: where connect() went; OPEN: nowhere */
	u8 conn; /* enum fc_conn */
	bool no_host; /* the host lets nobody have sockets */
	bool host_bound;
	bool refused_inside; /* nobody in the guest listens where it connects to */
	bool turn; /* which side a datagram is looked for first */
	bool wanted; /* somebody waits for readiness */
	unsigned long watching; /* bit 0 */
	u32 known; /* what the last shot said, until somebody may have changed it */
	atomic_t news; /* counts shots */
	atomic_t ops; /* the socket itself, and each call-back that will come */
	struct completion idle;
	struct fc_kop watch;
	struct fc_kop connect;
	void *connect_address;
	struct fc_sock_told told;
	struct fc_sock_option *options;
	u32 n_options;
	struct delayed_work work; /* what could not be done where it was noticed */
	wait_queue_entry_t hook;
	int peer_length; /* of an accepted socket: its peer's address */
	struct sockaddr_storage peer;
};

/* NULL: a plain socket, or one that was never finished. */
static inline struct fc_sock *fc_sock_of(const struct socket *sock)
{
	if (!sock->sk)
		return NULL;
	return (struct fc_sock *)((uintptr_t)READ_ONCE(sock->sk->sk_user_data) &
				  SK_USER_DATA_PTRMASK);
}

static inline bool fc_sock_dgram(const struct fc_sock *fs)
{
	return fs->sock->type == SOCK_DGRAM;
}

static inline enum fc_side fc_sock_side(const struct fc_sock *fs)
{
	return READ_ONCE(fs->side);
}

static inline u32 fc_sock_handle(const struct fc_sock *fs)
{
	return smp_load_acquire(&fs->handle);
}

/* sock.c */
struct fc_sock *fc_sock_alloc(struct fc_kernel *k, struct socket *sock,
			      const struct proto_ops *inner);
void fc_sock_free(struct fc_sock *fs);
void fc_sock_attach(struct fc_sock *fs);
void fc_sock_unwrap(struct socket *sock, const struct proto_ops *inner);

/* sock_host.c: the host's socket. "Locked": with fs->setup. */
struct fc_command fc_sock_command(const struct fc_sock *fs, u8 opcode);
int fc_sock_simple(struct fc_sock *fs, u8 opcode, u64 offset, u16 op_flags);
int fc_sock_run(struct fc_sock *fs, struct fc_command *cmd, void *data, u32 in, u32 out);
int fc_sock_exchange(struct fc_sock *fs, u8 opcode, u64 offset, void *data, u32 in, u32 out);
int fc_sock_open_host(struct fc_sock *fs); /* locked */
void fc_sock_close_host(struct fc_sock *fs); /* locked */
void fc_sock_set_inner(struct fc_sock *fs); /* locked */
void fc_sock_linger(struct fc_sock *fs); /* may wait for its peer */
u32 fc_sock_deadline(long timeout);
int fc_sock_wait_host(struct fc_sock *fs, u32 events, long *timeout);
int fc_sock_signal(long timeout);

/* sock_watch.c */
void fc_sock_start_watch(struct fc_sock *fs);
void fc_sock_op_get(struct fc_sock *fs);
void fc_sock_op_put(struct fc_sock *fs);
void fc_sock_wake(struct fc_sock *fs, u32 events);
void fc_sock_hook(struct fc_sock *fs);
void fc_sock_unhook(struct fc_sock *fs);
typedef int (*fc_sock_try_fn)(struct fc_sock *fs, void *data);
int fc_sock_wait_both(struct fc_sock *fs, long timeout, fc_sock_try_fn try, void *data);
__poll_t fc_sock_poll(struct file *file, struct socket *sock, struct poll_table_struct *wait);

/* sock_address.c */
bool fc_address_fits(const struct fc_sock *fs, const struct sockaddr *address, int length);
bool fc_address_is_guests(const struct fc_sock *fs, const struct sockaddr *address);
bool fc_address_has_udp(const struct fc_sock *fs, const struct sockaddr *address);
u16 fc_address_port(const struct sockaddr *address);
void fc_address_set_port(struct sockaddr *address, u16 port);

/* sock_bind.c */
int fc_sock_bind(struct socket *sock, struct sockaddr *address, int length);
int fc_sock_listen(struct socket *sock, int backlog);
int fc_sock_getname(struct socket *sock, struct sockaddr *address, int peer);
int fc_sock_shutdown(struct socket *sock, int how);

/* sock_connect.c */
int fc_sock_connect(struct socket *sock, struct sockaddr *address, int length, int flags);
int fc_sock_await_connection(struct fc_sock *fs, long timeout);

/* sock_accept.c */
int fc_sock_accept(struct socket *sock, struct socket *newsock, int flags, void *arg);

/* sock_stream.c, sock_dgram.c */
int fc_sock_sendmsg(struct socket *sock, struct msghdr *msg, size_t length);
int fc_sock_recvmsg(struct socket *sock, struct msghdr *msg, size_t length, int flags);
int fc_dgram_connect(struct fc_sock *fs, struct sockaddr *address, int length, int flags);
int fc_dgram_sendmsg(struct fc_sock *fs, struct msghdr *msg, size_t length);
int fc_dgram_recvmsg(struct fc_sock *fs, struct msghdr *msg, size_t length, int flags);

/* sock_ancillary.c */
bool fc_sock_wants_time(const struct sock *sk);
void fc_ancillary_put(const struct fc_sock *fs, struct msghdr *msg, const struct fc_ancillary *a);
int fc_ancillary_take(const struct fc_sock *fs, struct msghdr *msg, struct fc_ancillary *a);

/* sock_option.c */
int fc_sock_setsockopt(struct socket *sock, int level, int name, sockptr_t value,
		       unsigned int length);
int fc_sock_getsockopt(struct socket *sock, int level, int name, char __user *value,
		       int __user *length);
int fc_sock_ioctl(struct socket *sock, unsigned int cmd, unsigned long arg);

/* sock_told.c */
bool fc_sock_guests_alone(const struct fc_sock *fs);
bool fc_sock_stale(const struct fc_sock *fs);
void fc_sock_tell(struct fc_sock *fs); /* locked */
int fc_sock_refresh(struct fc_sock *fs);
int fc_sock_fetch_error(struct fc_sock *fs);

#endif
