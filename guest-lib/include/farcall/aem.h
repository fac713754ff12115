/* SPDX-License-Identifier: MIT */
/*
 * Events for processes, with the interface of AEM (Ericsson's Asynchronous Event Mechanism): a process says what it is
 * interested in, and its handlers are called. farcall_aem(7) is the long form: order, what a handler may call, threads, fork.
 *
 * Descriptors of events are > 0; on error calls return a negative errno, and set errno. Sockets are the host's: their
 * numbers start at FARCALL_AEM_FD_BASE and are known to this interface only. Unless FARCALL_AEM_NO_SOCKETS is defined
 * before this header, socket(), bind(), read(), close() and so on are renamed to calls that take both such numbers and
 * ordinary descriptors. The connection to the host is opened by the first call, see farcall_aem_init().
 *
 * Threads: every call may be made by any thread. Handlers run one at a time, on the thread that opened the connection,
 * which they interrupt wherever it is; or inside of farcall_dispatch() and nowhere else, see FARCALL_AEM_DISPATCH.
 */
#ifndef FARCALL_AEM_H
#define FARCALL_AEM_H

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- registration ------------------------------------------------------------------------------------------------- */

/* Flags of a registration. AEM's numbers, where AEM has them. */
#define EVF_ONESHOT (1 << 18)	/* the registration ends after one event */
#define EVF_FORK (1 << 20)	/* the handler runs in a process of its own */
#define EVF_NOCLDWAIT (1 << 21) /* which leaves no zombie */
#define EVF_STOPPED (1 << 24)	/* nothing happens before evctl(ed, EVJOBSTART, 0) */
#define EVF_PRIORITY(p) (0x100 | ((p) & 0xff)) /* with this event priority from the start; default JOB_NORMAL */

/* Handlers. `ed` is the descriptor. After an error (a negative errno) or the end, the registration is over. */
typedef void farcall_aem_accept_handler(int ed, int sockfd, int newfd); /* newfd: the connection, or an error */
/* bytes: of data, which is the system's and can be written to; 0: the end of the stream; or an error */
typedef void farcall_aem_read_handler(int ed, int sockfd, char *data, int bytes);
typedef void farcall_aem_close_handler(int ed, int sockfd, int error); /* 0: the peer closed, or an error */
typedef void farcall_aem_state_handler(int ed, int sockfd, int state); /* the state that was asked for, or an error */
typedef void farcall_aem_timer_handler(int ed, long expirations);      /* periods since the last call, or an error */

/*
 * A handler for each connection. addr and addrlen may be NULL; else the peer's address is put there before each call of
 * the handler (addrlen: in, the room). Only one registration of this kind for a socket: -EBUSY.
 */
int farcall_aem_accept(int sockfd, struct sockaddr *addr, socklen_t *addrlen, farcall_aem_accept_handler *handler, int flags);
/* A handler for what arrives, at most `count` bytes at a time (0: as much as there is and a buffer holds). One for a socket. */
int farcall_aem_read(int sockfd, size_t count, farcall_aem_read_handler *handler, int flags);
/* Called once: the peer has closed the connection, or it broke; after all of its data, if a read is registered, too. */
int farcall_aem_close_event(int sockfd, farcall_aem_close_handler *handler, int flags);
/* Called once, when the TCP state is TCP_ESTABLISHED, TCP_CLOSE_WAIT or TCP_CLOSE of <netinet/tcp.h>; -EOPNOTSUPP: another. */
int farcall_aem_sk(int sockfd, int state, farcall_aem_state_handler *handler, int flags);
/* Called once, when the socket is SS_CONNECTED or SS_UNCONNECTED; -EOPNOTSUPP: another. */
int farcall_aem_sock(int sockfd, int state, farcall_aem_state_handler *handler, int flags);
/* After `interval` ms, then, unless period is 0, each `period` ms. In ns with farcall_aem_timer_ns() (period: 0 or >= 1000). */
int farcall_aem_timer(unsigned long interval, unsigned long period, farcall_aem_timer_handler *handler, int flags);
int farcall_aem_timer_ns(unsigned long long interval, unsigned long long period, farcall_aem_timer_handler *handler, int flags);

/* Linux's enum socket_state, which its headers for programs do not have everywhere. */
#ifndef SS_UNCONNECTED
#define SS_UNCONNECTED 1
#define SS_CONNECTED 3
#endif

/* --- control ------------------------------------------------------------------------------------------------------ */

/* Operations of evctl(). AEM's numbers up to EVJOBSTOP. ed -1 means all events of the process, where it says (all). */
#define EVJOBPRIO 1   /* arg: JOB_LOW, JOB_NORMAL, JOB_HIGH: points on the scale of EVPRIO (all) */
#define EVTBLINIT 2   /* AEM's memory pool: does nothing, memory is there */
#define EVJOBSHTDN 3  /* ends the registration, and those below it; what has happened and not been handled is dropped (all) */
#define EVJOBSTART 4  /* enables it (all) */
#define EVJOBSTOP 5   /* disables it: what happens meanwhile waits (all); a timer starts anew */
#define EVPRIO 6      /* arg: event priority, 0 to 255: in which order handlers run, and what the guest's scheduler goes by */
#define EVSTAT 7      /* arg: address of a struct evstat */
#define EVGETLIST 8   /* arg: address of a struct evlist. ed: whose children, or -1 for all. Returns how many there are */
#define EVPARENT 9    /* returns the parent, or 0 */
#define EVCHILD 10    /* returns the first child, or 0 */
#define EVSIBLING 11  /* returns the next child of the same parent, or 0 */
#define EVSETARG 12   /* arg: for EVGETARG, whatever you like */
#define EVGETARG 13   /* arg: address of an unsigned long */

#define JOB_LOW 32
#define JOB_NORMAL 64
#define JOB_HIGH 128

struct evstat {
	unsigned long long events;	   /* handlers called */
	unsigned long long bytes;	   /* given to a read handler */
	unsigned long long forks;	   /* of those, in processes of their own */
	unsigned long long starved;	   /* times that data had to wait because all buffers were in use */
	unsigned long long handler_ns;	   /* spent in handlers, and the longest */
	unsigned long long max_handler_ns;
	unsigned long long queued;	   /* events that happened and whose handler has not been called yet */
};

enum evkind { EVK_ACCEPT = 1, EVK_READ, EVK_CLOSE, EVK_SK, EVK_SOCK, EVK_TIMER };

struct evinfo {
	int ed;
	int parent;   /* or 0 */
	int kind;     /* enum evkind */
	int sockfd;   /* or -1 */
	int priority; /* 0 to 255 */
	int stopped;  /* by EVJOBSTOP or EVF_STOPPED */
	int running;  /* its handler is being called */
	unsigned queued;
};

struct evlist {
	struct evinfo *events; /* filled, in no particular order */
	unsigned room;	       /* of events[] */
	unsigned active_only;  /* not 0: only those with queued or running not 0 */
};

/* 0 or more, or a negative errno: -EBADF: no such descriptor; -EINVAL: op, arg; -EFAULT: arg is NULL; -EAGAIN: no room. */
long farcall_aem_ctl(int ed, unsigned long op, unsigned long arg);

/* --- handlers ----------------------------------------------------------------------------------------------------- */

/* Called by a read handler: its data stays after it has returned, until farcall_aem_release(). -EINVAL: no such data. */
int farcall_aem_keep(const void *data);
int farcall_aem_release(const void *data);

/*
 * Between them no handler interrupts the calling thread: for what both it and its handlers touch. They nest, and cost
 * some nanoseconds. Events wait meanwhile.
 */
void farcall_aem_hold(void);
void farcall_aem_unhold(void);

/*
 * Calls the handlers of what has happened; if nothing has, waits for something: timeout_ms < 0: for ever, 0: not at all.
 * Returns how many handlers it called. -EINTR; -EBUSY: handlers are running; -EDEADLK: called by a handler; -EPIPE: the
 * host is gone. Also works in programs whose handlers interrupt.
 */
int farcall_dispatch(int timeout_ms);

/* --- the connection ----------------------------------------------------------------------------------------------- */

#define FARCALL_AEM_DISPATCH 0x1u /* handlers run inside of farcall_dispatch() only: no signal, no thread of ours */

/* All zero means the defaults. */
struct farcall_aem_options {
	unsigned flags;
	unsigned buffers;      /* for data: at most 2047; default 128 */
	unsigned buffer_bytes; /* of each: at most 1 MiB - 1; default 16 KiB */
	unsigned events;       /* registrations to make room for at once; more is made as it is needed. Default 1024 */
	int signo;	       /* the signal that interrupts; 0: the highest real-time signal that nobody uses */
	unsigned reserved[3];
};
/*
 * Opens the connection now, where: as farcall_open() takes it; options may be NULL. 0; -EALREADY: it is open; what
 * farcall_open() returns; -EINVAL: options; -EBUSY: the signal is in use; -EAGAIN, -ENOMEM.
 */
int farcall_aem_init(const char *where, const struct farcall_aem_options *options);
/* Ends all registrations, closes all sockets and the connection. Not from a handler: -EDEADLK. The next call opens anew. */
int farcall_aem_exit(void);

/* --- sockets ------------------------------------------------------------------------------------------------------ */

#define FARCALL_AEM_FD_BASE (1 << 24)
#define FARCALL_AEM_IS_SOCKET(fd) ((fd) >= FARCALL_AEM_FD_BASE)

/*
 * As the calls whose names they end in: -1 with errno. They do what the Linux call does when fd is an ordinary
 * descriptor, or, for socket(), when family is neither AF_INET nor AF_INET6.
 */
int farcall_aem_socket(int family, int type, int protocol);
int farcall_aem_bind(int fd, const struct sockaddr *address, socklen_t length);
int farcall_aem_listen(int fd, int backlog);
int farcall_aem_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags);
int farcall_aem_connect(int fd, const struct sockaddr *address, socklen_t length);
ssize_t farcall_aem_send(int fd, const void *data, size_t bytes, int flags);
ssize_t farcall_aem_recv(int fd, void *data, size_t bytes, int flags);
ssize_t farcall_aem_write(int fd, const void *data, size_t bytes);
ssize_t farcall_aem_read_now(int fd, void *data, size_t bytes);
int farcall_aem_shutdown(int fd, int how);
int farcall_aem_close(int fd); /* ends the registrations of the socket, and those below them */
int farcall_aem_getsockopt(int fd, int level, int name, void *value, socklen_t *length);
int farcall_aem_setsockopt(int fd, int level, int name, const void *value, socklen_t length);
int farcall_aem_getsockname(int fd, struct sockaddr *address, socklen_t *length);
int farcall_aem_getpeername(int fd, struct sockaddr *address, socklen_t *length);

/* --- AEM's names -------------------------------------------------------------------------------------------------- */

#define sockasync_accept farcall_aem_accept
#define sockasync_read farcall_aem_read
#define sockasync_close farcall_aem_close_event
#define sockasync_sk farcall_aem_sk
#define sockasync_sock farcall_aem_sock
#define evtimer farcall_aem_timer
#define evctl farcall_aem_ctl
#define evunregister(ed) farcall_aem_ctl((ed), EVJOBSHTDN, 0)

#ifndef FARCALL_AEM_NO_SOCKETS
#define socket(family, type, protocol) farcall_aem_socket(family, type, protocol)
#define bind(fd, address, length) farcall_aem_bind(fd, address, length)
#define listen(fd, backlog) farcall_aem_listen(fd, backlog)
#define accept(fd, address, length) farcall_aem_accept4(fd, address, length, 0)
#define accept4(fd, address, length, flags) farcall_aem_accept4(fd, address, length, flags)
#define connect(fd, address, length) farcall_aem_connect(fd, address, length)
#define send(fd, data, bytes, flags) farcall_aem_send(fd, data, bytes, flags)
#define recv(fd, data, bytes, flags) farcall_aem_recv(fd, data, bytes, flags)
#define write(fd, data, bytes) farcall_aem_write(fd, data, bytes)
#define read(fd, data, bytes) farcall_aem_read_now(fd, data, bytes)
#define shutdown(fd, how) farcall_aem_shutdown(fd, how)
#define close(fd) farcall_aem_close(fd)
#define getsockopt(fd, level, name, value, length) farcall_aem_getsockopt(fd, level, name, value, length)
#define setsockopt(fd, level, name, value, length) farcall_aem_setsockopt(fd, level, name, value, length)
#define getsockname(fd, address, length) farcall_aem_getsockname(fd, address, length)
#define getpeername(fd, address, length) farcall_aem_getpeername(fd, address, length)
#endif

#ifdef __cplusplus
}
#endif

#endif
