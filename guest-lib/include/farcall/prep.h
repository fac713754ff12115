/* SPDX-License-Identifier: MIT */
/*
 * Helpers that fill a struct fc_command: farcall_prep_*() clears it and says what to do, the others refine it.
 * Buffers are region key + offset inside the region; key 0 is the arena (see farcall_arena_offset()).
 */
#ifndef FARCALL_PREP_H
#define FARCALL_PREP_H

#include <string.h>

#include <farcall/abi.h>

/* Clears *command and sets its opcode: for ops without a helper. */
static inline void farcall_prep(struct fc_command *command, enum fc_opcode opcode)
{
	memset(command, 0, sizeof(*command));
	command->opcode = (fc_u8)opcode;
}

static inline void farcall_prep_buffer(struct fc_command *command, fc_u32 region, fc_u64 buffer, fc_u32 length)
{
	command->region = region;
	command->buffer = buffer;
	command->length = length;
}

/* Completes with `result` (0 or more). */
static inline void farcall_prep_nop(struct fc_command *command, fc_u32 result)
{
	farcall_prep(command, FC_OP_NOP);
	command->length = result;
}

/* The path of `length` bytes lies in shared memory; `directory` is FC_HANDLE_SHARE(n) or an open directory. */
static inline void farcall_prep_open(struct fc_command *command, fc_u32 directory, fc_u32 region, fc_u64 path,
				     fc_u32 length, unsigned open_flags, unsigned mode)
{
	farcall_prep(command, FC_OP_OPEN);
	command->handle = directory;
	farcall_prep_buffer(command, region, path, length);
	command->op_flags = (fc_u16)open_flags;
	command->offset = mode;
}

static inline void farcall_prep_close(struct fc_command *command, fc_u32 handle)
{
	farcall_prep(command, FC_OP_CLOSE);
	command->handle = handle;
}

/* offset: in the file, or FC_OFFSET_CURRENT. */
static inline void farcall_prep_read(struct fc_command *command, fc_u32 handle, fc_u64 offset, fc_u32 region,
				     fc_u64 buffer, fc_u32 length)
{
	farcall_prep(command, FC_OP_READ);
	command->handle = handle;
	command->offset = offset;
	farcall_prep_buffer(command, region, buffer, length);
}

static inline void farcall_prep_write(struct fc_command *command, fc_u32 handle, fc_u64 offset, fc_u32 region,
				      fc_u64 buffer, fc_u32 length)
{
	farcall_prep_read(command, handle, offset, region, buffer, length);
	command->opcode = FC_OP_WRITE;
}

static inline void farcall_prep_fsync(struct fc_command *command, fc_u32 handle, unsigned fsync_flags)
{
	farcall_prep(command, FC_OP_FSYNC);
	command->handle = handle;
	command->op_flags = (fc_u16)fsync_flags;
}

/* Writes a struct fc_stat. */
static inline void farcall_prep_stat(struct fc_command *command, fc_u32 handle, fc_u32 region, fc_u64 buffer)
{
	farcall_prep(command, FC_OP_STAT);
	command->handle = handle;
	farcall_prep_buffer(command, region, buffer, (fc_u32)sizeof(struct fc_stat));
}

/* ns from now on, or of the host's CLOCK_MONOTONIC with FC_TIMER_ABSOLUTE. */
static inline void farcall_prep_timer(struct fc_command *command, fc_u64 ns, unsigned timer_flags)
{
	farcall_prep(command, FC_OP_TIMER);
	command->offset = ns;
	command->op_flags = (fc_u16)timer_flags;
}

/*
 * An event (FC_E_MORE) each `period_ns` (1000 or more), the first after `first_ns`: its result is how many periods have
 * passed since the last one. Until it is cancelled.
 */
static inline void farcall_prep_timer_periodic(struct fc_command *command, fc_u64 first_ns, fc_u64 period_ns,
					       unsigned timer_flags)
{
	farcall_prep_timer(command, first_ns, timer_flags);
	command->buffer = period_ns;
	command->flags = FC_F_MULTISHOT;
}

/* A user event: gets the event ID `id` and completes when an event_set names it. */
static inline void farcall_prep_event_wait(struct fc_command *command, fc_u64 id)
{
	farcall_prep(command, FC_OP_EVENT_WAIT);
	command->id = id;
	command->flags = FC_F_ID;
}

static inline void farcall_prep_event_set(struct fc_command *command, fc_u64 id, fc_u32 result)
{
	farcall_prep(command, FC_OP_EVENT_SET);
	command->offset = id;
	command->length = result;
}

static inline void farcall_prep_cancel(struct fc_command *command, fc_u64 id)
{
	farcall_prep(command, FC_OP_CANCEL);
	command->offset = id;
}

/* All commands of the client that wait and use `handle`. Result: how many. */
static inline void farcall_prep_cancel_handle(struct fc_command *command, fc_u32 handle)
{
	farcall_prep(command, FC_OP_CANCEL);
	command->handle = handle;
	command->op_flags = FC_CANCEL_HANDLE;
}

/* All commands of the client that wait. Result: how many. */
static inline void farcall_prep_cancel_all(struct fc_command *command)
{
	farcall_prep(command, FC_OP_CANCEL);
	command->op_flags = FC_CANCEL_ALL;
}

/* Lets the client with this serial (0: all of the domain) wait for `count` of the caller's event IDs from `first` on. */
static inline void farcall_prep_event_share(struct fc_command *command, fc_u64 first, fc_u64 count, fc_u32 serial)
{
	farcall_prep(command, FC_OP_EVENT_SHARE);
	command->offset = first;
	command->buffer = count;
	command->length = serial;
}

/*
 * Serves a name (1 to FC_MAX_SERVICE_NAME bytes in shared memory): an event with FC_E_MORE for each call, until it fails or
 * is cancelled. serve: arena offset of a struct fc_serve, 8-aligned. farcall_service_create() does all of this.
 */
static inline void farcall_prep_serve(struct fc_command *command, fc_u32 region, fc_u64 name, fc_u32 length, fc_u64 serve)
{
	farcall_prep(command, FC_OP_SERVE);
	command->flags = FC_F_MULTISHOT;
	farcall_prep_buffer(command, region, name, length);
	command->offset = serve;
}

/* Its result is a handle of the service, once the server has agreed. */
static inline void farcall_prep_service_open(struct fc_command *command, fc_u32 region, fc_u64 name, fc_u32 length)
{
	farcall_prep(command, FC_OP_SERVICE_OPEN);
	farcall_prep_buffer(command, region, name, length);
}

/*
 * A request of `bytes` lies at region/buffer; a reply of at most `capacity` replaces it. op (16 bits) and argument are
 * the service's. With farcall_offset_from() the variable holds argument << 32 | bytes.
 */
static inline void farcall_prep_call(struct fc_command *command, fc_u32 service, unsigned op, fc_u32 argument,
				     fc_u32 region, fc_u64 buffer, fc_u32 bytes, fc_u32 capacity)
{
	farcall_prep(command, FC_OP_CALL);
	command->handle = service;
	command->op_flags = (fc_u16)op;
	command->offset = (fc_u64)argument << 32 | bytes;
	farcall_prep_buffer(command, region, buffer, capacity);
}

/* The answer to a call: its result (>= 0, with a reply of `length` bytes, or -errno and no reply). Frees its slot. */
static inline void farcall_prep_reply(struct fc_command *command, fc_u64 token, fc_s32 result, fc_u32 region,
				      fc_u64 buffer, fc_u32 length)
{
	farcall_prep(command, FC_OP_REPLY);
	command->handle = (fc_u32)result;
	command->offset = token;
	farcall_prep_buffer(command, region, buffer, length);
}

/* --- sockets: addresses are Linux's struct sockaddr_*, in shared memory -------------------------------------------- */

static inline void farcall_prep_socket(struct fc_command *command, unsigned family, unsigned type, unsigned protocol)
{
	farcall_prep(command, FC_OP_SOCKET);
	command->offset = (fc_u64)(family & 0xffff) | (fc_u64)(type & 0xffff) << 16 | (fc_u64)protocol << 32;
}

/* directory: where a Unix path starts (FC_HANDLE_SHARE(n) or an open directory), else 0. */
static inline void farcall_prep_bind(struct fc_command *command, fc_u32 handle, fc_u32 region, fc_u64 address,
				     fc_u32 length, fc_u32 directory)
{
	farcall_prep(command, FC_OP_BIND);
	command->handle = handle;
	command->offset = directory;
	farcall_prep_buffer(command, region, address, length);
}

static inline void farcall_prep_connect(struct fc_command *command, fc_u32 handle, fc_u32 region, fc_u64 address,
					fc_u32 length, fc_u32 directory)
{
	farcall_prep_bind(command, handle, region, address, length, directory);
	command->opcode = FC_OP_CONNECT;
}

static inline void farcall_prep_listen(struct fc_command *command, fc_u32 handle, unsigned backlog)
{
	farcall_prep(command, FC_OP_LISTEN);
	command->handle = handle;
	command->offset = backlog;
}

/* With farcall_add_flags(FC_F_MULTISHOT): a handle for each connection. */
static inline void farcall_prep_accept(struct fc_command *command, fc_u32 handle)
{
	farcall_prep(command, FC_OP_ACCEPT);
	command->handle = handle;
}

/* msg_flags: FC_MSG_*. A stream is sent whole, unless FC_MSG_DONTWAIT. */
static inline void farcall_prep_send(struct fc_command *command, fc_u32 handle, fc_u32 region, fc_u64 buffer,
				     fc_u32 length, unsigned msg_flags)
{
	farcall_prep(command, FC_OP_SEND);
	command->handle = handle;
	command->op_flags = (fc_u16)msg_flags;
	farcall_prep_buffer(command, region, buffer, length);
}

static inline void farcall_prep_recv(struct fc_command *command, fc_u32 handle, fc_u32 region, fc_u64 buffer,
				     fc_u32 length, unsigned msg_flags)
{
	farcall_prep_send(command, handle, region, buffer, length, msg_flags);
	command->opcode = FC_OP_RECV;
}

/*
 * The host picks a buffer of `pool` (see farcall_prep_buffers()) for at most `length` bytes (0: what a buffer holds): the
 * event has FC_E_BUFFER. With farcall_add_flags(FC_F_MULTISHOT): for all that arrives, until there is no buffer (-ENOBUFS).
 * That event may come after the last buffer was given back: who then waits for another one to come back waits for ever.
 */
static inline void farcall_prep_recv_pool(struct fc_command *command, fc_u32 handle, fc_u32 pool, fc_u32 length)
{
	farcall_prep(command, FC_OP_RECV);
	command->handle = handle;
	command->offset = pool;
	command->length = length;
	command->op_flags = FC_MSG_POOL;
}

/* A struct fc_msg at `message`; its iov is an arena offset. directory: as with bind. */
static inline void farcall_prep_sendmsg(struct fc_command *command, fc_u32 handle, fc_u32 region, fc_u64 message,
					unsigned msg_flags, fc_u32 directory)
{
	farcall_prep(command, FC_OP_SENDMSG);
	command->handle = handle;
	command->offset = directory;
	command->op_flags = (fc_u16)msg_flags;
	farcall_prep_buffer(command, region, message, (fc_u32)sizeof(struct fc_msg));
}

static inline void farcall_prep_recvmsg(struct fc_command *command, fc_u32 handle, fc_u32 region, fc_u64 message,
					unsigned msg_flags)
{
	farcall_prep_sendmsg(command, handle, region, message, msg_flags, 0);
	command->opcode = FC_OP_RECVMSG;
}

/* how: SHUT_*. */
static inline void farcall_prep_shutdown(struct fc_command *command, fc_u32 handle, unsigned how)
{
	farcall_prep(command, FC_OP_SHUTDOWN);
	command->handle = handle;
	command->offset = how;
}

static inline void farcall_prep_getsockopt(struct fc_command *command, fc_u32 handle, unsigned level, unsigned name,
					   fc_u32 region, fc_u64 value, fc_u32 length)
{
	farcall_prep(command, FC_OP_GETSOCKOPT);
	command->handle = handle;
	command->offset = (fc_u64)level | (fc_u64)name << 32;
	farcall_prep_buffer(command, region, value, length);
}

static inline void farcall_prep_setsockopt(struct fc_command *command, fc_u32 handle, unsigned level, unsigned name,
					   fc_u32 region, fc_u64 value, fc_u32 length)
{
	farcall_prep_getsockopt(command, handle, level, name, region, value, length);
	command->opcode = FC_OP_SETSOCKOPT;
}

/* The result is the address's length; no more than `length` bytes of it are written. */
static inline void farcall_prep_getsockname(struct fc_command *command, fc_u32 handle, fc_u32 region, fc_u64 address,
					    fc_u32 length)
{
	farcall_prep(command, FC_OP_GETSOCKNAME);
	command->handle = handle;
	farcall_prep_buffer(command, region, address, length);
}

static inline void farcall_prep_getpeername(struct fc_command *command, fc_u32 handle, fc_u32 region, fc_u64 address,
					    fc_u32 length)
{
	farcall_prep_getsockname(command, handle, region, address, length);
	command->opcode = FC_OP_GETPEERNAME;
}

/* events: POLL*. With farcall_add_flags(FC_F_MULTISHOT): a shot for each change. */
static inline void farcall_prep_poll(struct fc_command *command, fc_u32 handle, unsigned events)
{
	farcall_prep(command, FC_OP_POLL);
	command->handle = handle;
	command->offset = events;
}

/* Makes `count` buffers of `bytes` bytes a pool. */
static inline void farcall_prep_buffers(struct fc_command *command, fc_u32 region, fc_u64 buffer, fc_u32 bytes,
					fc_u32 count)
{
	farcall_prep(command, FC_OP_BUFFERS);
	command->offset = bytes;
	farcall_prep_buffer(command, region, buffer, bytes * count);
}

/*
 * Makes `bytes` bytes a pool of blocks as large as what the host puts into them, rounded up to a power of two that is at
 * least `smallest`: FC_E_BLOCK.
 */
static inline void farcall_prep_blocks(struct fc_command *command, fc_u32 region, fc_u64 buffer, fc_u32 bytes,
				       fc_u32 smallest)
{
	farcall_prep(command, FC_OP_BUFFERS);
	command->op_flags = FC_BUFFERS_BLOCKS;
	command->offset = smallest;
	farcall_prep_buffer(command, region, buffer, bytes);
}

/* `index`: FC_RESULT_BUFFER(), or of a pool of blocks fc_block_start(). */
static inline void farcall_prep_buffer_return(struct fc_command *command, fc_u32 pool, fc_u32 index)
{
	farcall_prep(command, FC_OP_BUFFER_RETURN);
	command->handle = pool;
	command->offset = index;
}

/* --- what the event will carry ---------------------------------------------------------------------------------- */

/* Plain user data: only the event carries it. */
static inline void farcall_set_data(struct fc_command *command, fc_u64 data)
{
	command->id = data;
	command->flags = (fc_u16)(command->flags & ~FC_F_ID);
}

/* An event ID from farcall_event_id(): others can wait for it. */
static inline void farcall_set_id(struct fc_command *command, fc_u64 id)
{
	command->id = id;
	command->flags |= FC_F_ID;
}

/* FC_F_ALWAYS, FC_F_SHORT_STOP, FC_F_QUIET, FC_F_WAIT_ANY. */
static inline void farcall_add_flags(struct fc_command *command, unsigned flags)
{
	command->flags = (fc_u16)(command->flags | flags);
}

static inline void farcall_set_priority(struct fc_command *command, fc_u8 priority)
{
	command->priority = priority;
}

/* Completes with -ETIMEDOUT when it is not over `us` microseconds after the host has taken it. 0: no deadline. */
static inline void farcall_set_deadline(struct fc_command *command, fc_u32 us)
{
	command->deadline = us;
}

/* The same for it and all commands that wait for it, directly or not, but those with FC_F_ALWAYS. us: not 0. */
static inline void farcall_set_chain_deadline(struct fc_command *command, fc_u32 us)
{
	command->deadline = us;
	command->flags |= FC_F_CHAIN_DEADLINE;
}

/* It goes on when its channel or its client goes away; its memory and handles stay until then. */
static inline void farcall_detach(struct fc_command *command)
{
	command->flags |= FC_F_DETACH;
}

/* --- wait list -------------------------------------------------------------------------------------------------- */

/* Run when this one command has completed. */
static inline void farcall_after(struct fc_command *command, fc_u64 id)
{
	command->wait = id;
	command->wait_count = 1;
}

/*
 * Run when all (or, with FC_F_WAIT_ANY, any) of `count` commands have completed. `ids` lies in the arena at `offset`
 * (farcall_arena_offset()), 8-aligned, and must stay there until the command has been picked up, so until its event.
 */
static inline void farcall_after_list(struct fc_command *command, const fc_u64 *ids, fc_u64 offset, unsigned count)
{
	command->wait = count == 1 ? ids[0] : offset;
	command->wait_count = (fc_u16)count;
}

/* --- variables -------------------------------------------------------------------------------------------------- */

/* Take the field from a variable when the command runs. */
static inline void farcall_handle_from(struct fc_command *command, fc_u32 variable)
{
	command->handle = variable;
	command->flags |= FC_F_VAR_HANDLE;
}

static inline void farcall_offset_from(struct fc_command *command, fc_u32 variable)
{
	command->offset = variable;
	command->flags |= FC_F_VAR_OFFSET;
}

static inline void farcall_length_from(struct fc_command *command, fc_u32 variable)
{
	command->length = variable;
	command->flags |= FC_F_VAR_LENGTH;
}

static inline void farcall_buffer_from(struct fc_command *command, fc_u32 variable)
{
	command->buffer = variable;
	command->flags |= FC_F_VAR_BUFFER;
}

/* For ops with a second handle (copy, sendfile): take that. */
static inline void farcall_region_from(struct fc_command *command, fc_u32 variable)
{
	command->region = variable;
	command->flags |= FC_F_VAR_REGION;
}

/* variable = result, or variable += result; a failed command leaves it alone. */
static inline void farcall_store_result(struct fc_command *command, fc_u32 variable)
{
	command->result_var = variable;
	command->flags |= FC_F_RESULT_STORE;
}

static inline void farcall_add_result(struct fc_command *command, fc_u32 variable)
{
	command->result_var = variable;
	command->flags |= FC_F_RESULT_ADD;
}

#include <farcall/prep_files.h>

#endif
