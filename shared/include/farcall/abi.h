/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR MIT */
/*
 * farcall ring ABI: what client and host say to each other in shared memory.
 *
 * Used unchanged by the kernel module (C), the libraries (C and C++), the monitor and the bare guest. Little-endian,
 * naturally aligned, no pointers: data is named by region key + offset + length. shared/PROTOCOL.md is the prose.
 */
#ifndef FARCALL_ABI_H
#define FARCALL_ABI_H

#ifdef __KERNEL__
#include <linux/build_bug.h>
#include <linux/stddef.h>
#include <linux/types.h>
typedef __u8 fc_u8;
typedef __u16 fc_u16;
typedef __u32 fc_u32;
typedef __u64 fc_u64;
typedef __s32 fc_s32;
typedef __s64 fc_s64;
#else
#include <stddef.h>
#include <stdint.h>
typedef uint8_t fc_u8;
typedef uint16_t fc_u16;
typedef uint32_t fc_u32;
typedef uint64_t fc_u64;
typedef int32_t fc_s32;
typedef int64_t fc_s64;
#endif

#ifdef __cplusplus
#define FC_STATIC_ASSERT(cond, text) static_assert(cond, text)
#else
#define FC_STATIC_ASSERT(cond, text) _Static_assert(cond, text)
#endif
#define FC_ASSERT_FIELD(type, field, off) FC_STATIC_ASSERT(offsetof(struct type, field) == (off), #type "." #field)
#define FC_ASSERT_SIZE(type, size) FC_STATIC_ASSERT(sizeof(struct type) == (size), "size of " #type)

#define FC_ABI_MAGIC 0x4c4c4143u /* "CALL" */
#define FC_ABI_VERSION 1u
#define FC_CACHE_LINE 64u

/* Feature bits: offered by the host, the accepted subset is sent back and checked. Unknown bits are never accepted. */
#define FC_FEATURE_TIMESTAMPS (1ull << 0) /* 32-byte events with host time stamps */
#define FC_FEATURE_WAIT_ANY (1ull << 1)	  /* FC_F_WAIT_ANY */
#define FC_FEATURE_ALL (FC_FEATURE_TIMESTAMPS | FC_FEATURE_WAIT_ANY)

/* Limits that are part of the ABI. The host may offer less. */
#define FC_MIN_SLOTS 8u
#define FC_MAX_COMMAND_SLOTS 4096u
#define FC_MAX_EVENT_SLOTS 16384u /* an event's 16-bit seq must differ between two laps */
#define FC_MAX_WAITS 256u	  /* event IDs in one wait list */
#define FC_MAX_PATH 4096u	  /* bytes of a path with a terminating NUL, which is not sent: at most 4095 come */
#define FC_MAX_TRANSFER 0x7ffff000u

/* Operations: the opcode of a command. Fields that an op does not use must be zero. */
enum fc_opcode {
	FC_OP_NOP = 0,	     /* completes with 0; `length` is its result when not 0 (for tests and variables) */
	FC_OP_OPEN = 1,	     /* path in region/buffer/length, relative to directory `handle`; offset = mode; op_flags */
	FC_OP_CLOSE = 2,     /* handle */
	FC_OP_READ = 3,	     /* handle, offset (or FC_OFFSET_CURRENT), region/buffer/length */
	FC_OP_WRITE = 4,     /* the same */
	FC_OP_FSYNC = 5,     /* handle; op_flags: FC_FSYNC_DATA */
	FC_OP_STAT = 6,	     /* handle; writes struct fc_stat to region/buffer, length >= sizeof */
	FC_OP_TIMER = 7,     /* offset = nanoseconds, relative, or absolute with FC_TIMER_ABSOLUTE; result 0 */
	FC_OP_EVENT_SET = 8, /* offset = event ID to complete, length = its result (>= 0) */
	FC_OP_EVENT_WAIT = 9, /* a user event: completes when FC_OP_EVENT_SET names its event ID */
	FC_OP_CANCEL = 10,   /* offset = event ID of the command to cancel; op_flags: FC_CANCEL_* */

	/* Files and directories. A path is relative to directory `handle`; two paths in one buffer are split by one NUL. */
	FC_OP_READV = 11,     /* as READ; region/buffer/length: an array of struct fc_iov */
	FC_OP_WRITEV = 12,    /* the same */
	FC_OP_FTRUNCATE = 13, /* handle, offset = new size */
	FC_OP_STATX = 14,     /* handle, path (may be empty: handle itself); offset: see FC_OFFSET_IOV; struct fc_statx */
	FC_OP_GETDENTS = 15,  /* handle, offset = cookie or FC_OFFSET_CURRENT; writes struct fc_dirent to region/buffer/length */
	FC_OP_RENAME = 16,    /* handle, "old\0new"; offset = directory handle of new; op_flags: FC_RENAME_* */
	FC_OP_UNLINK = 17,    /* handle, path; op_flags: FC_UNLINK_DIRECTORY */
	FC_OP_MKDIR = 18,     /* handle, path, offset = mode */
	FC_OP_SYMLINK = 19,   /* handle, "target\0path" */
	FC_OP_READLINK = 20,  /* handle, path; offset: see FC_OFFSET_IOV; result: bytes of the target */
	FC_OP_LINK = 21,      /* handle, "old\0new"; offset = directory handle of new */
	FC_OP_FALLOCATE = 22, /* handle, offset, buffer = bytes, op_flags: FC_FALLOCATE_* */
	FC_OP_COPY = 23,      /* handle, offset -> file handle `region`, offset `buffer`; length: stays on the host */
	FC_OP_SENDFILE = 24,  /* the same to a socket or stream `region`, where buffer is FC_OFFSET_CURRENT */

	/* Sockets. Addresses are Linux's struct sockaddr_*, numbers Linux's. A Unix path is relative to directory `offset`. */
	FC_OP_SOCKET = 25,	/* offset = family | type << 16 | protocol << 32 */
	FC_OP_BIND = 26,	/* handle, address in region/buffer/length */
	FC_OP_LISTEN = 27,	/* handle, offset = backlog */
	FC_OP_ACCEPT = 28,	/* handle; length != 0: the peer's address goes to region/buffer; op_flags: DONTWAIT. Result: a handle */
	FC_OP_CONNECT = 29,	/* handle, address in region/buffer/length */
	FC_OP_SEND = 30,	/* handle, region/buffer/length, op_flags: FC_MSG_* */
	FC_OP_RECV = 31,	/* the same; with FC_MSG_POOL: offset = handle of a buffer pool, see FC_E_BUFFER */
	FC_OP_SENDMSG = 32,	/* handle, struct fc_msg in region/buffer/length, op_flags: FC_MSG_*; offset as BIND has it */
	FC_OP_RECVMSG = 33,	/* the same; name_length and flags of the struct are filled */
	FC_OP_SHUTDOWN = 34,	/* handle, offset = SHUT_* */
	FC_OP_GETSOCKOPT = 35,	/* handle, offset = level | name << 32, region/buffer/length. Result: bytes */
	FC_OP_SETSOCKOPT = 36,	/* the same */
	FC_OP_GETSOCKNAME = 37, /* handle, region/buffer/length. Result: bytes of the address */
	FC_OP_GETPEERNAME = 38, /* the same */
	FC_OP_POLL = 39,	/* handle, offset = POLL*, op_flags: FC_POLL_NOW. Result: what is ready */
	FC_OP_BUFFERS = 40,	/* makes region/buffer/length a pool of buffers of `offset` bytes. Result: a handle; op_flags */
	FC_OP_BUFFER_RETURN = 41, /* handle of a pool, offset = index (FC_E_BLOCK: start) of what the host may fill again */

	/* Between clients of one domain. */
	FC_OP_EVENT_SHARE = 42,	 /* lets client serial `length` (0: all) wait for `buffer` event IDs from `offset` on */
	FC_OP_SERVE = 43,	 /* FC_F_MULTISHOT; name in region/buffer/length; offset = arena offset of a struct fc_serve */
	FC_OP_SERVICE_OPEN = 44, /* name in region/buffer/length. Result: a handle of the service, once it has agreed */
	FC_OP_CALL = 45,	 /* handle of a service; op_flags = its op; offset = argument << 32 | bytes of the request, which
				  * lies at region/buffer; the reply of at most length bytes replaces it */
	FC_OP_REPLY = 46,	 /* offset = token of a call, handle = its result (s32), reply in region/buffer/length */

	/* More of files. Where a path may be empty, `handle` itself is meant. op_flags: FC_STATX_NOFOLLOW, where there are paths. */
	FC_OP_SETATTR = 47, /* handle, path (may be empty), offset = arena offset of a struct fc_setattr */
	FC_OP_STATFS = 48,  /* handle; writes struct fc_statfs to region/buffer, length >= sizeof */
	FC_OP_MKNOD = 49,   /* handle, path, offset = mode with S_IFREG, S_IFIFO or S_IFSOCK */
	FC_OP_SEEK = 50,    /* handle, offset; op_flags: FC_SEEK_*; writes a u64 to region/buffer, length >= 8 */
	/* "path\0name"; path may be empty; names begin with "user." */
	FC_OP_GETXATTR = 51,	/* handle, offset: see FC_OFFSET_IOV (length 0: how long is it?); result: bytes */
	FC_OP_SETXATTR = 52,	/* handle, offset: an fc_iov as in FC_OFFSET_IOV, with the value; op_flags: FC_XATTR_* too */
	FC_OP_REMOVEXATTR = 53, /* handle */
	FC_OP_LISTXATTR = 54,	/* handle, path (may be empty), offset as GETXATTR: names, each with its NUL */
	FC_OP_COUNT
};

/* Command flags. */
#define FC_F_ID (1u << 0)	    /* `id` is an event ID: others can wait for it; else it is plain user data */
#define FC_F_WAIT_ANY (1u << 1)	    /* any of the wait list is enough; else all of it */
#define FC_F_VAR_HANDLE (1u << 2)   /* `handle` is the index of a variable that holds the handle */
#define FC_F_VAR_OFFSET (1u << 3)   /* the same for `offset` */
#define FC_F_VAR_LENGTH (1u << 4)   /* the same for `length` */
#define FC_F_VAR_BUFFER (1u << 5)   /* the same for `buffer` */
#define FC_F_RESULT_STORE (1u << 6) /* variable[result_var] = result */
#define FC_F_RESULT_ADD (1u << 7)   /* variable[result_var] += result; results < 0 leave it alone in both cases */
#define FC_F_ALWAYS (1u << 8)	    /* run even if a command of the wait list failed */
#define FC_F_SHORT_STOP (1u << 9)   /* a short read or write counts as failed for those who wait for it */
#define FC_F_QUIET (1u << 10)	    /* the event does not wake a sleeping client */
#define FC_F_VAR_REGION (1u << 11)  /* as FC_F_VAR_HANDLE, where `region` is a second handle (COPY, SENDFILE) */
#define FC_F_MULTISHOT (1u << 12)   /* an event for each shot (FC_E_MORE) until it fails or is cancelled */
#define FC_F_CHAIN_DEADLINE (1u << 13) /* `deadline` also holds for all that waits for this command, directly
					* or not, but for FC_F_ALWAYS */
#define FC_F_DETACH (1u << 14)	    /* goes on when its channel or its client goes away */
#define FC_F_ALL 0x7fffu

#define FC_OFFSET_CURRENT (~0ull)

/* Handles 0..15 are the domain's shares (exported directories or files), 16..31 its standard streams, see FC_CLIENT_STREAMS. */
#define FC_HANDLE_SHARE(n) ((fc_u32)(n))
#define FC_MAX_SHARES 16u
#define FC_HANDLE_STDIN 16u
#define FC_HANDLE_STDOUT 17u
#define FC_HANDLE_STDERR 18u
#define FC_HANDLE_CONTROL 19u /* bytes from the host to the guest's init: see <farcall/init.h> */
#define FC_HANDLE_LOG 20u     /* bytes for the monitor's guest log */
#define FC_FIRST_HANDLE 32u

/* op_flags of FC_OP_OPEN: at least one of READ and WRITE, any of the others. Directories open for reading only. */
#define FC_OPEN_READ 0x1u
#define FC_OPEN_WRITE 0x2u
#define FC_OPEN_CREATE 0x4u
#define FC_OPEN_EXCLUSIVE 0x8u
#define FC_OPEN_TRUNCATE 0x10u
#define FC_OPEN_APPEND 0x20u
#define FC_OPEN_DIRECTORY 0x40u
#define FC_OPEN_NOFOLLOW 0x80u
#define FC_OPEN_ALL 0xffu

#define FC_FSYNC_DATA 0x1u
#define FC_TIMER_ABSOLUTE 0x1u /* FC_F_MULTISHOT: buffer = period in ns; a shot's result: periods since the last one */
#define FC_CANCEL_HANDLE 0x1u  /* all commands that use `handle`; the result of this and the next: how many */
#define FC_CANCEL_ALL 0x2u     /* all commands of the client but this one */
#define FC_STATX_NOFOLLOW 0x1u
#define FC_SEEK_DATA 0x1u /* one of them */
#define FC_SEEK_HOLE 0x2u
#define FC_XATTR_CREATE 0x2u
#define FC_XATTR_REPLACE 0x4u
#define FC_MAX_XATTR_NAME 255u
#define FC_MAX_XATTR_BYTES 65536u
#define FC_RENAME_NOREPLACE 0x1u
#define FC_RENAME_EXCHANGE 0x2u
#define FC_UNLINK_DIRECTORY 0x1u
#define FC_FALLOCATE_KEEP_SIZE 0x1u
#define FC_FALLOCATE_PUNCH_HOLE 0x2u /* needs KEEP_SIZE */
#define FC_FALLOCATE_ZERO_RANGE 0x10u
#define FC_POLL_NOW 0x1u       /* does not wait; 0: nothing is ready */
#define FC_MSG_PEEK 0x2u
#define FC_MSG_TRUNC 0x20u /* RECV, RECVMSG: the result is the whole datagram's length */
#define FC_MSG_DONTWAIT 0x40u
#define FC_MSG_WAITALL 0x100u
#define FC_MSG_NOSIGNAL 0x4000u /* always in force */
#define FC_MSG_MORE 0x8000u
#define FC_MSG_POOL 0x1u	/* RECV: the host picks the buffer, and only when there is something to put into it */

/* GETSOCKOPT: a level of the host's own. How many bytes lie in the socket's queues, as an s32. */
#define FC_SOL_QUEUES 0x4651u
#define FC_SO_UNREAD 1u /* ioctl(FIONREAD); of datagrams: the next one's */
#define FC_SO_UNSENT 2u /* ioctl(TIOCOUTQ) */

/* op_flags of FC_OP_BUFFERS */
#define FC_BUFFERS_BLOCKS 0x1u /* blocks as large as what is put into them; offset: of the smallest, a power of two */

/* A piece of memory. Where an op says FC_OFFSET_IOV, `offset` is the arena offset (8-aligned) of one, for its output. */
struct fc_iov {
	fc_u64 buffer;
	fc_u32 region;
	fc_u32 length;
};
FC_ASSERT_SIZE(fc_iov, 16);
#define FC_MAX_IOV 64u

/* One name of a directory; reclen (a multiple of 8) leads to the next. The layout of Linux's struct linux_dirent64. */
struct fc_dirent {
	fc_u64 inode;
	fc_s64 next; /* cookie of the entry after it */
	fc_u16 reclen;
	fc_u8 type; /* DT_* */
	char name[5]; /* ends with a NUL; longer ones go on */
};
FC_ASSERT_FIELD(fc_dirent, name, 19);
FC_ASSERT_SIZE(fc_dirent, 24);

/* SENDMSG, RECVMSG. No host descriptor ever comes in or goes out. */
struct fc_msg {
	struct fc_iov name; /* length 0: none */
	fc_u64 iov;	    /* arena offset of an array of struct fc_iov */
	fc_u32 iov_count;   /* at most FC_MAX_IOV */
	fc_u32 flags;	    /* RECVMSG: MSG_TRUNC and the like */
	fc_u32 name_length; /* RECVMSG: bytes of the peer's address */
	fc_u32 ancillary;   /* 0; or the size of struct fc_ancillary, one of which follows */
};
FC_ASSERT_FIELD(fc_msg, ancillary, 36);
FC_ASSERT_SIZE(fc_msg, 40);

/* What a datagram brings, or takes along, beside its data. RECVMSG gives what the socket's options ask for. */
#define FC_ANCILLARY_IP_PKTINFO 0x1u
#define FC_ANCILLARY_IP_TTL 0x2u
#define FC_ANCILLARY_IP_TOS 0x4u
#define FC_ANCILLARY_IPV6_PKTINFO 0x8u
#define FC_ANCILLARY_IPV6_HOPLIMIT 0x10u
#define FC_ANCILLARY_IPV6_TCLASS 0x20u
#define FC_ANCILLARY_TIME 0x40u /* RECVMSG */
struct fc_ancillary {
	fc_u32 present;	    /* FC_ANCILLARY_*: which of these mean something */
	fc_u8 ip_to[4];	    /* RECVMSG: where it was sent to */
	fc_u8 ip_local[4];  /* RECVMSG: the address of the host that took it; SENDMSG: to send from */
	fc_u8 ttl;
	fc_u8 tos;
	fc_u8 hop_limit;
	fc_u8 traffic_class;
	fc_u8 ipv6_local[16]; /* RECVMSG: where it was sent to; SENDMSG: to send from */
	fc_u64 time;	    /* of its arrival: ns of the host's CLOCK_REALTIME */
};
FC_ASSERT_FIELD(fc_ancillary, ttl, 12);
FC_ASSERT_FIELD(fc_ancillary, ipv6_local, 16);
FC_ASSERT_FIELD(fc_ancillary, time, 32);
FC_ASSERT_SIZE(fc_ancillary, 40);

/* SERVE: where calls are put, and how many at a time. */
struct fc_serve {
	struct fc_iov slots; /* slot_bytes each */
	fc_u32 slot_bytes;   /* with the struct fc_call at its head; a multiple of 64, at most FC_MAX_SLOT_BYTES */
	fc_u32 reserved;
};
FC_ASSERT_SIZE(fc_serve, 24);

/* A shot of SERVE: its result is the index of a slot that now holds this, and the request behind it. REPLY frees it. */
struct fc_call {
	fc_u64 token;  /* names the call in REPLY */
	fc_u32 kind;   /* enum fc_call_kind */
	fc_u32 op;     /* op_flags of the CALL */
	fc_u32 client; /* serial of the caller */
	fc_u32 argument;
	fc_u32 bytes;	 /* of the request */
	fc_u32 capacity; /* for the reply */
};
FC_ASSERT_SIZE(fc_call, 32);
enum fc_call_kind {
	FC_CALL_OPEN = 0,  /* a client asks to use the service; a REPLY with a result < 0 refuses */
	FC_CALL_OP = 1,	   /* a CALL */
	FC_CALL_CLOSE = 2, /* that client is gone; its REPLY only frees the slot */
};
#define FC_MAX_SERVICE_NAME 64u
#define FC_MAX_SERVICE_SLOTS 4096u
#define FC_MAX_CALL_BYTES 65536u /* of a request, and of a reply */
#define FC_MAX_SLOT_BYTES (FC_MAX_CALL_BYTES + 64u)

/* The request of an FC_CALL_OPEN: who asks, as the host's kernel said when it connected. */
struct fc_peer {
	fc_u32 flags; /* FC_PEER_* */
	fc_u32 uid;
	fc_u32 gid;
	fc_u32 pid; /* may name another process by now */
};
FC_ASSERT_SIZE(fc_peer, 16);
#define FC_PEER_KNOWN 0x1u /* uid, gid and pid are there: a local client. Not set: a process of a guest */

/* One request. The client fills all but seq, then publishes seq = index + 1 with release semantics. */
struct fc_command {
	fc_u8 opcode;
	fc_u8 priority;
	fc_u16 flags;
	fc_u32 handle;
	fc_u64 id;
	fc_u64 offset;
	fc_u64 buffer; /* byte offset inside the region */
	fc_u32 region; /* region key; 0 is the arena */
	fc_u32 length; /* bytes */
	fc_u64 wait;   /* wait_count == 1: the event ID; > 1: arena offset of that many event IDs, 8-aligned */
	fc_u16 wait_count;
	fc_u16 op_flags;
	fc_u32 result_var; /* index of a variable: arena offset / 8 */
	fc_u32 deadline; /* us from the time that the host takes it; then it completes with -ETIMEDOUT. 0: none */
	fc_u32 seq;
};
FC_ASSERT_FIELD(fc_command, opcode, 0);
FC_ASSERT_FIELD(fc_command, priority, 1);
FC_ASSERT_FIELD(fc_command, flags, 2);
FC_ASSERT_FIELD(fc_command, handle, 4);
FC_ASSERT_FIELD(fc_command, id, 8);
FC_ASSERT_FIELD(fc_command, offset, 16);
FC_ASSERT_FIELD(fc_command, buffer, 24);
FC_ASSERT_FIELD(fc_command, region, 32);
FC_ASSERT_FIELD(fc_command, length, 36);
FC_ASSERT_FIELD(fc_command, wait, 40);
FC_ASSERT_FIELD(fc_command, wait_count, 48);
FC_ASSERT_FIELD(fc_command, op_flags, 50);
FC_ASSERT_FIELD(fc_command, result_var, 52);
FC_ASSERT_FIELD(fc_command, deadline, 56);
FC_ASSERT_FIELD(fc_command, seq, 60);
FC_ASSERT_SIZE(fc_command, 64);

/* Event flags. */
#define FC_E_ID 0x1u	/* `id` is an event ID */
#define FC_E_QUIET 0x2u /* came from an FC_F_QUIET command */
#define FC_E_SHORT 0x4u /* transferred less than asked for, and FC_F_SHORT_STOP made that a failure */
#define FC_E_MORE 0x8u	/* a shot of an FC_F_MULTISHOT command: more events with this id follow */
#define FC_E_BUFFER 0x10u /* the host picked a buffer: result = FC_RESULT_BUFFER << 20 | FC_RESULT_BYTES */
#define FC_RESULT_BYTES(result) ((fc_u32)(result) & 0xfffffu)
#define FC_RESULT_BUFFER(result) ((fc_u32)(result) >> 20)
#define FC_MAX_POOL_BUFFERS 2047u
#define FC_MAX_POOL_BUFFER_BYTES 0xfffffu
#define FC_E_BLOCK 0x20u /* with FC_E_BUFFER: a block of a pool; the result is as fc_block_result() in ring.h makes it */
#define FC_MIN_BLOCK_BYTES 64u
#define FC_MAX_BLOCK_POOL_BYTES 0x4000000u
#define FC_MAX_BLOCKS 65536u /* of the smallest size, in a pool */

/* One completion. id first, then the word with seq = (fc_u16)(index + 1) with release semantics. */
struct fc_event {
	fc_u64 id;     /* the command's id */
	fc_s32 result; /* >= 0, or -errno (Linux numbers) */
	fc_u8 priority;
	fc_u8 flags;
	fc_u16 seq;
};
FC_ASSERT_FIELD(fc_event, id, 0);
FC_ASSERT_FIELD(fc_event, result, 8);
FC_ASSERT_FIELD(fc_event, priority, 12);
FC_ASSERT_FIELD(fc_event, flags, 13);
FC_ASSERT_FIELD(fc_event, seq, 14);
FC_ASSERT_SIZE(fc_event, 16);

/* The larger form, chosen per channel (FC_CHANNEL_TIMESTAMPS). Host CLOCK_MONOTONIC in ns; deltas saturate. */
struct fc_event_ts {
	struct fc_event event;
	fc_u64 picked_up;	/* the worker copied the command */
	fc_u32 started_after;	/* ns from picked_up to the start of execution (waits met) */
	fc_u32 completed_after; /* ns from picked_up to completion */
};
FC_ASSERT_FIELD(fc_event_ts, picked_up, 16);
FC_ASSERT_FIELD(fc_event_ts, started_after, 24);
FC_ASSERT_FIELD(fc_event_ts, completed_after, 28);
FC_ASSERT_SIZE(fc_event_ts, 32);

/* What FC_OP_STAT writes, and FC_OP_STATX before its own fields. */
struct fc_stat {
	fc_u64 size;
	fc_u64 inode;
	fc_u64 device; /* opaque, equal for files of one host file system */
	fc_u32 mode;   /* type and permissions, as in struct stat */
	fc_u32 links;
	fc_u32 uid;
	fc_u32 gid;
	fc_u64 blocks; /* of 512 bytes */
	fc_u64 block_size;
	fc_s64 atime_ns;
	fc_s64 mtime_ns;
	fc_s64 ctime_ns;
};
FC_ASSERT_SIZE(fc_stat, 80);

struct fc_statx {
	struct fc_stat stat;
	fc_s64 btime_ns;      /* birth, where FC_STATX_BTIME_KNOWN is set in known */
	fc_u64 attributes;    /* STATX_ATTR_* */
	fc_u64 attributes_mask;
	fc_u64 known;
	fc_u64 mount_id; /* opaque */
	fc_u64 reserved;
};
#define FC_STATX_BTIME_KNOWN 0x1u
FC_ASSERT_SIZE(fc_statx, 128);

/* What SETATTR reads. Owners stay as they are: other ones are refused with -EPERM, and so are set-ID bits of files. */
struct fc_setattr {
	fc_u32 valid; /* FC_SETATTR_*: the fields that count */
	fc_u32 mode;  /* permissions, 07777 */
	fc_u32 uid;
	fc_u32 gid;
	fc_u64 size;
	fc_s64 atime_ns;
	fc_s64 mtime_ns;
	fc_u64 reserved;
};
FC_ASSERT_SIZE(fc_setattr, 48);
#define FC_SETATTR_MODE 0x1u
#define FC_SETATTR_UID 0x2u
#define FC_SETATTR_GID 0x4u
#define FC_SETATTR_SIZE 0x8u
#define FC_SETATTR_ATIME 0x10u
#define FC_SETATTR_MTIME 0x20u
#define FC_SETATTR_ATIME_NOW 0x40u /* the host's time; atime_ns is not looked at */
#define FC_SETATTR_MTIME_NOW 0x80u
#define FC_SETATTR_ALL 0xffu

/* What STATFS writes. */
struct fc_statfs {
	fc_u64 block_size; /* bytes: the unit of the next three */
	fc_u64 blocks;
	fc_u64 free;
	fc_u64 available; /* to users without privileges */
	fc_u64 files;
	fc_u64 files_free;
	fc_u64 type; /* the host's f_type */
	fc_u32 name_max;
	fc_u32 reserved;
};
FC_ASSERT_SIZE(fc_statfs, 64);

/* Why a channel was poisoned: `status` of the host line. */
enum fc_channel_status {
	FC_CHANNEL_OK = 0,
	FC_CHANNEL_BAD_TAIL = 1,       /* command tail more than the ring's size away from head, ahead or behind */
	FC_CHANNEL_BAD_EVENT_HEAD = 2, /* event head ahead of event tail, or more than a ring behind it */
	FC_CHANNEL_CLOSED = 3,	       /* not poisoned: the client or the server went away */
	FC_CHANNEL_STATUS_COUNT
};

/*
 * First page of a channel's memory: one line per writer and purpose, so that polling one line never steals another.
 * All indices are free-running. Commands start at FC_COMMANDS_OFFSET, events follow them at once.
 */
struct fc_ring_header {
	/* line 0, client: written with each post / each read, read by the host only before it sleeps or when full */
	fc_u32 command_tail;
	fc_u32 event_head;
	fc_u8 pad0[56];
	/* line 1, host: written once per batch */
	fc_u32 command_head;
	fc_u32 event_tail;
	fc_u32 status; /* enum fc_channel_status; a change always raises the event interrupt, armed or not */
	fc_u8 pad1[52];
	/* line 2, host: read by the client after each post */
	fc_u32 worker_armed; /* not 0: ring the doorbell */
	fc_u8 pad2[60];
	/* line 3, client: read by the host after each batch of events */
	fc_u32 client_armed; /* not 0: clear it, then raise the event interrupt (never the other way round) */
	/* For the guest's scheduler, never read by the host. Sums of the priorities of what the client ... */
	fc_u32 awaited_priority; /* sleeps for, valid while client_armed is not 0 */
	fc_u32 taken_priority;	 /* has taken out of the event ring and not handled yet */
	fc_u8 pad3[52];
};
FC_ASSERT_FIELD(fc_ring_header, command_tail, 0);
FC_ASSERT_FIELD(fc_ring_header, event_head, 4);
FC_ASSERT_FIELD(fc_ring_header, command_head, 64);
FC_ASSERT_FIELD(fc_ring_header, event_tail, 68);
FC_ASSERT_FIELD(fc_ring_header, status, 72);
FC_ASSERT_FIELD(fc_ring_header, worker_armed, 128);
FC_ASSERT_FIELD(fc_ring_header, client_armed, 192);
FC_ASSERT_FIELD(fc_ring_header, awaited_priority, 196);
FC_ASSERT_FIELD(fc_ring_header, taken_priority, 200);
FC_ASSERT_SIZE(fc_ring_header, 256);

#define FC_COMMANDS_OFFSET 4096u

/* Event IDs: (client serial << FC_ID_BITS) | number. Serials count from 1, so 0 is never an event ID. */
#define FC_ID_BITS 40
#define FC_ID_NUMBER_MASK ((1ull << FC_ID_BITS) - 1)

#endif
