/* SPDX-License-Identifier: MIT */
/*
 * libfarcall: a process's side of farcall. The same calls over /dev/farcall in a guest and over a local server's socket.
 *
 * Conventions. Functions return 0 or a positive value, or a negative errno. Every pointer argument must be non-null
 * unless said otherwise. Objects belong to the caller until the call that closes, destroys or frees them.
 * Threads: a client may be used by many threads at once; a channel by one thread at a time.
 * Fork: shared memory is not inherited; in a child every call on an inherited client or channel returns -EPERM, except
 * farcall_channel_destroy() and farcall_close(), which free the child's copies and leave the parent's alone.
 * -EPIPE: the channel is poisoned or closed, or the server is gone. It stays so: close and open again.
 */
#ifndef FARCALL_FARCALL_H
#define FARCALL_FARCALL_H

#include <farcall/abi.h>

#ifdef __cplusplus
extern "C" {
#endif

struct farcall_client;  /* a client: owner of arena, regions, channels, event IDs */
struct farcall_channel; /* one command ring and one event ring */

/* --- client --------------------------------------------------------------------------------------------------- */

#define FARCALL_OPEN_STREAMS 0x1u /* take the domain's standard streams (a guest's init; needs privilege) */

/* All zero means the defaults. */
struct farcall_options {
	fc_u64 arena_bytes;    /* rounded up to whole pages; default 1 MiB */
	fc_u64 channel_bytes;  /* local transport: address space for rings; default 16 MiB, not touched until used */
	fc_u32 variables;      /* variables that farcall_var_alloc() hands out; default 1024 */
	fc_u32 id_batch;       /* event IDs that a channel fetches at a time; default 4096 */
	fc_u32 flags;	       /* FARCALL_OPEN_* */
	fc_u32 near_serial;    /* not 0: be served by the same worker as the client with this serial, to share events */
	fc_u32 reserved[2];
};

/*
 * Opens a client. where: "device", "unix:PATH" of a local server's socket; NULL or "" means the environment variable
 * FARCALL, and if that is not set "device". options may be NULL. *out is the new client, to be closed by farcall_close().
 * -EINVAL: where, options; -ENOENT, -ECONNREFUSED: no device or server; -EACCES: the server doesn't want this user;
 * -EPROTO: another ABI version; -EPERM: streams refused; -EMFILE, -ENOMEM; -ENOENT also: nobody has near_serial.
 */
int farcall_open(const char *where, const struct farcall_options *options, struct farcall_client **out);

/* Destroys the client's channels and regions and the client. No thread may use any of them. NULL is allowed. */
void farcall_close(struct farcall_client *client);

struct farcall_info {
	fc_u32 version;
	fc_u32 serial; /* of this client: the high bits of its event IDs */
	fc_u64 features;
	fc_u32 max_channels;
	fc_u32 max_regions;
	fc_u32 max_command_slots;
	fc_u32 max_event_slots;
	fc_u64 max_region_bytes;
	fc_u32 local; /* 1: a local server, 0: the device */
	fc_u32 vm_exits; /* of the whole VM to its monitor so far, this call's own included; wraps; 0 for a local server */
};
int farcall_get_info(struct farcall_client *client, struct farcall_info *out);

/* Ends the VM with this exit status. Device only, needs CAP_SYS_BOOT: -EPERM, -ENOTSUP. */
int farcall_vm_exit(struct farcall_client *client, unsigned status);

/* --- memory --------------------------------------------------------------------------------------------------- */

/* The arena, region key 0: *bytes (may be NULL) is its size. NULL in a forked child. Lives as long as the client. */
void *farcall_arena(struct farcall_client *client, fc_u64 *bytes);

/*
 * Shared memory from the arena; align is a power of two (0: 16). Not zeroed. NULL when there is none left. The memory
 * must not be freed while a command in flight names it. Meant for some thousands of blocks, not as a general heap.
 */
void *farcall_arena_alloc(struct farcall_client *client, fc_u64 bytes, fc_u64 align);
void farcall_arena_free(struct farcall_client *client, void *block); /* NULL is allowed; so is memory of another client: ignored */

/* Offset of a pointer into the arena: what a command's `buffer` and `wait` are. FC_OFFSET_CURRENT (~0) if outside. */
fc_u64 farcall_arena_offset(struct farcall_client *client, const void *pointer);

/* Variables: index, set to 0, or -ENOSPC. Any 8-aligned word of the arena is one as well: index = arena offset / 8. */
int farcall_var_alloc(struct farcall_client *client);
void farcall_var_free(struct farcall_client *client, int index);
/* Value of a variable (0 for an index outside the arena); a set before a post is seen by that command. */
fc_u64 farcall_var_get(struct farcall_client *client, fc_u32 index);
void farcall_var_set(struct farcall_client *client, fc_u32 index, fc_u64 value);

/*
 * Makes [pointer, pointer + bytes) a region; *key names it. The memory stays the caller's and must stay mapped until it
 * is unregistered. Device only (-ENOTSUP): a local server can't reach memory that is not a shared file.
 * -EFAULT, -EINVAL, -ENOMEM (RLIMIT_MEMLOCK), -ENOSPC, -E2BIG.
 */
int farcall_region_register(struct farcall_client *client, void *pointer, fc_u64 bytes, int writable, fc_u32 *key);
/* Returns when no command uses the region any more. -ENOENT; -EBUSY for the arena. */
int farcall_region_unregister(struct farcall_client *client, fc_u32 key);

struct farcall_region {
	void *base;
	fc_u64 bytes; /* as asked for, rounded up to whole pages */
	fc_u32 key;
	fc_u32 reserved;
};
/* New zeroed memory as a writable region, on both transports. Free it before the client is closed. */
int farcall_region_alloc(struct farcall_client *client, fc_u64 bytes, struct farcall_region *out);
int farcall_region_free(struct farcall_client *client, struct farcall_region *region);

/* --- channels --------------------------------------------------------------------------------------------------- */

/*
 * command_slots and event_slots: powers of two (0: 64, 256). flags: FC_CHANNEL_TIMESTAMPS (<farcall/control.h>). As many
 * commands can be in flight, from post to the reading of their event, as the smaller of both; more, up to event_slots, as
 * the host says that it has taken commands out of the ring. -EINVAL, -EMFILE, -ENOMEM, -EPIPE.
 */
int farcall_channel_create(struct farcall_client *client, unsigned command_slots, unsigned event_slots, unsigned flags,
			   struct farcall_channel **out);
/* Commands in flight are cancelled or finished first. NULL is allowed. Destroy all channels before the client. */
void farcall_channel_destroy(struct farcall_channel *channel);

/* Posts a copy of one command (its seq is ignored): 0, or -EAGAIN when no slot is free (read events first). */
int farcall_post(struct farcall_channel *channel, const struct fc_command *command);

/*
 * Batches: farcall_prepare() gives a command to fill (private memory, contents undefined: a prep helper clears it), or
 * NULL when no slot is free. farcall_submit() posts all prepared ones in order, looks once whether the worker sleeps,
 * and returns how many it posted.
 */
struct fc_command *farcall_prepare(struct farcall_channel *channel);
int farcall_submit(struct farcall_channel *channel);

/* Commands that can be posted now, and commands posted whose events have not been read. */
unsigned farcall_space(struct farcall_channel *channel);
unsigned farcall_in_flight(struct farcall_channel *channel);

/* Reads up to max events without sleeping: how many (0: none), or -EPIPE once there are none left on a dead channel. */
int farcall_poll(struct farcall_channel *channel, struct fc_event *out, unsigned max);
/* The same with host time stamps; -EINVAL unless the channel was created with FC_CHANNEL_TIMESTAMPS. */
int farcall_poll_ts(struct farcall_channel *channel, struct fc_event_ts *out, unsigned max);

/*
 * Returns 0 when an event can be read. Spins for the channel's budget, then sleeps in the kernel. timeout_ns: < 0 no
 * limit, 0 do not sleep. -ETIME; -EINTR: a signal was handled; -EPIPE.
 */
int farcall_wait(struct farcall_channel *channel, fc_s64 timeout_ns);
/* Nanoseconds that farcall_wait() spins before it sleeps; default 0. */
void farcall_set_spin(struct farcall_channel *channel, fc_u64 ns);

/*
 * For the guest's scheduler (event-priority weighting, farcall-kmod(4)): the sum of the priorities of the events that were
 * read from the channel and are not handled yet. Events in the ring and commands waited for count by themselves. A plain
 * store; no system call. Any thread of the process.
 */
void farcall_set_taken(struct farcall_channel *channel, unsigned priority);

/*
 * For poll and epoll beside other descriptors: call farcall_channel_arm(); when it returns 0, sleep until the descriptor
 * is readable (or hung up), then read events; when it returns 1, events are there already. -EPIPE. The descriptor
 * belongs to the channel: don't read or close it.
 */
int farcall_channel_fd(struct farcall_channel *channel);
int farcall_channel_arm(struct farcall_channel *channel);

/*
 * A fresh event ID, for farcall_set_id(). Cheap: one call to the host for thousands of them (farcall_options.id_batch).
 * 0, which the host refuses as an ID, when the host gives no more.
 */
fc_u64 farcall_event_id(struct farcall_channel *channel);

struct farcall_counters {
	fc_u64 posts;	     /* commands posted */
	fc_u64 events;	     /* events read */
	fc_u64 doorbells;    /* times a sleeping worker was woken */
	fc_u64 sleeps;	     /* times that farcall_wait() slept in the kernel, so wake-ups of the client */
	fc_u64 system_calls; /* all system calls that the library made for this channel since it was created */
};
void farcall_get_counters(struct farcall_channel *channel, struct farcall_counters *out);

/* FC_CHANNEL_OK or why the channel is dead (enum fc_channel_status). */
int farcall_channel_status(struct farcall_channel *channel);
/* The shared header, for tests and diagnosis. NULL in a forked child. */
struct fc_ring_header *farcall_channel_header(struct farcall_channel *channel);

/* --- services: plain IPC between the clients of one domain -------------------------------------------------------- */

struct farcall_service; /* a server's side: a channel of its own, and memory for requests. One thread at a time */

/* A call that a server has taken, until its reply. */
struct farcall_request {
	fc_u64 token;
	fc_u32 kind;	 /* enum fc_call_kind; FC_CALL_OPEN: data is a struct fc_peer */
	fc_u32 op;	 /* of the CALL, 16 bits */
	fc_u32 client;	 /* serial of the caller */
	fc_u32 argument; /* of the CALL */
	fc_u32 bytes;	 /* of the request */
	fc_u32 capacity; /* for the reply; no reply is longer */
	void *data;	 /* the request; the reply is put in its place. The caller can't reach it */
	fc_u32 room;	 /* bytes that there are at data */
	fc_u32 slot;
};

/*
 * Serves `name`: up to `slots` requests at a time, of up to `request_bytes` each (at most FC_MAX_CALL_BYTES).
 * -EINVAL: sizes; -EEXIST: somebody serves that name; -EMFILE: too many services; -ENOMEM, -ENOSPC, -EPIPE.
 */
int farcall_service_create(struct farcall_client *client, const char *name, unsigned slots, unsigned request_bytes,
			   struct farcall_service **out);
/* Calls that have no reply yet fail with -ECONNRESET, later ones with -EPIPE. NULL is allowed. */
void farcall_service_destroy(struct farcall_service *service);
/*
 * The next call: 1 and *out, or 0 when none came in time. timeout_ns as for farcall_wait(). A call in hand does not
 * stop others from coming. -EINTR; -ECANCELED, -EPIPE: the service is over.
 */
int farcall_service_next(struct farcall_service *service, struct farcall_request *out, fc_s64 timeout_ns);
/*
 * Answers a call, in any order: result >= 0 and `bytes` of reply at request->data, or -errno (bytes 0). A FC_CALL_OPEN
 * is agreed to with 0 and refused with -errno; a FC_CALL_CLOSE must be answered, too. What became of a caller that went
 * away meanwhile is no error. -EMSGSIZE: more than room or capacity (the call still needs its answer); -EPIPE.
 */
int farcall_service_reply(struct farcall_service *service, const struct farcall_request *request, int result,
			  unsigned bytes);
/* Its channel, for farcall_set_spin(), farcall_channel_arm() and counters; don't post to it or read its events. */
struct farcall_channel *farcall_service_channel(struct farcall_service *service);

#ifdef __cplusplus
}
#endif

#include <farcall/prep.h>

#endif
