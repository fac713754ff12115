/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR MIT */
/*
 * Ring arithmetic and barriers: the only place that orders accesses to shared ring memory.
 * C and C++, kernel and user space; see shared/PROTOCOL.md for which barrier pairs with which.
 */
#ifndef FARCALL_RING_H
#define FARCALL_RING_H

#include <farcall/abi.h>

#ifdef __KERNEL__
#include <asm/barrier.h>
#include <linux/compiler.h>
#define fc_load_relaxed(p) READ_ONCE(*(p))
#define fc_store_relaxed(p, v) WRITE_ONCE(*(p), (v))
#define fc_load_acquire(p) smp_load_acquire(p)
#define fc_store_release(p, v) smp_store_release(p, v)
/* virt_mb(): the other side runs on another CPU even when this guest kernel was built or patched for one. */
#define fc_full_barrier() virt_mb()
#else
#define fc_load_relaxed(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define fc_store_relaxed(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define fc_load_acquire(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define fc_store_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define fc_full_barrier() __atomic_thread_fence(__ATOMIC_SEQ_CST)
#endif

/* A command or event seen as 8-byte words: the compiler must not assume that they are other memory than its fields. */
typedef fc_u64 __attribute__((__may_alias__)) fc_word;

static inline int fc_is_power_of_two(fc_u32 n)
{
	return n != 0 && (n & (n - 1)) == 0;
}

static inline int fc_ring_sizes_ok(fc_u32 command_slots, fc_u32 event_slots)
{
	return fc_is_power_of_two(command_slots) && fc_is_power_of_two(event_slots) && command_slots >= FC_MIN_SLOTS &&
	       command_slots <= FC_MAX_COMMAND_SLOTS && event_slots >= FC_MIN_SLOTS && event_slots <= FC_MAX_EVENT_SLOTS;
}

/* Bytes of a channel's memory: header page, commands, events. Sizes must have passed fc_ring_sizes_ok(). */
static inline fc_u32 fc_channel_bytes(fc_u32 command_slots, fc_u32 event_slots, fc_u32 event_size)
{
	return FC_COMMANDS_OFFSET + command_slots * (fc_u32)sizeof(struct fc_command) + event_slots * event_size;
}

static inline fc_u32 fc_events_offset(fc_u32 command_slots)
{
	return FC_COMMANDS_OFFSET + command_slots * (fc_u32)sizeof(struct fc_command);
}

/* --- client side, commands ------------------------------------------------------------------------------------ */

/*
 * Writes `cmd` (its seq is ignored) into the slot of `index` and publishes it. One producer per ring. The caller keeps
 * index - (completed commands) < command slots, which makes the slot free without reading the host's head.
 */
static inline void fc_command_publish(struct fc_command *slots, fc_u32 mask, fc_u32 index, const struct fc_command *cmd)
{
	struct fc_command *slot = &slots[index & mask];
	const fc_word *from = (const fc_word *)(const void *)cmd;
	fc_word *to = (fc_word *)(void *)slot;
	int i;

#pragma GCC unroll 7
	for (i = 0; i < 7; i++)
		fc_store_relaxed(&to[i], from[i]);
	fc_store_relaxed(&slot->deadline, cmd->deadline);
	fc_store_release(&slot->seq, index + 1);
}

/*
 * After publishing one or more commands: does the worker sleep? Full barrier, then the flag: either we see the flag
 * that the worker set before its last look at the ring, or that look sees our command.
 */
static inline int fc_doorbell_needed(struct fc_ring_header *header, fc_u32 command_tail)
{
	fc_store_relaxed(&header->command_tail, command_tail);
	fc_full_barrier();
	return fc_load_relaxed(&header->worker_armed) != 0;
}

/* --- host side, commands -------------------------------------------------------------------------------------- */

static inline int fc_command_ready(const struct fc_command *slots, fc_u32 mask, fc_u32 head)
{
	return fc_load_acquire(&slots[head & mask].seq) == head + 1;
}

/* Copies a ready command once; only the copy is ever looked at. */
static inline void fc_command_copy(const struct fc_command *slots, fc_u32 mask, fc_u32 head, struct fc_command *copy)
{
	const fc_word *from = (const fc_word *)(const void *)&slots[head & mask];
	fc_word *to = (fc_word *)(void *)copy;
	int i;

#pragma GCC unroll 7
	for (i = 0; i < 7; i++)
		to[i] = fc_load_relaxed(&from[i]);
	copy->deadline = fc_load_relaxed(&slots[head & mask].deadline);
	copy->seq = head + 1;
}

/* --- events --------------------------------------------------------------------------------------------------- */

/* The slot of `index` in an event ring with elements of `event_size` bytes (16 or 32). */
static inline struct fc_event *fc_event_slot(void *events, fc_u32 mask, fc_u32 event_size, fc_u32 index)
{
	return (struct fc_event *)(void *)((fc_u8 *)events + (fc_u64)(index & mask) * event_size);
}

static inline fc_u64 fc_event_word(fc_s32 result, fc_u8 priority, fc_u8 flags, fc_u32 index)
{
	return (fc_u64)(fc_u32)result | ((fc_u64)priority << 32) | ((fc_u64)flags << 40) |
	       ((fc_u64)(fc_u16)(index + 1) << 48);
}

/* Host: writes an event into its slot and publishes it. The slot is free because in-flight commands hold a slot each. */
static inline void fc_event_publish(struct fc_event *slot, fc_u32 index, fc_u64 id, fc_s32 result, fc_u8 priority,
				    fc_u8 flags)
{
	fc_store_relaxed(&slot->id, id);
	fc_store_release((fc_word *)(void *)&slot->result, fc_event_word(result, priority, flags, index));
}

/* Client: reads the event of `head` into *out if it is there. Returns 1, or 0 when there is none. */
static inline int fc_event_read(const struct fc_event *slot, fc_u32 head, struct fc_event *out)
{
	fc_u64 word = fc_load_acquire((const fc_word *)(const void *)&slot->result);

	if ((fc_u16)(word >> 48) != (fc_u16)(head + 1))
		return 0;
	out->id = fc_load_relaxed(&slot->id);
	out->result = (fc_s32)(fc_u32)word;
	out->priority = (fc_u8)(word >> 32);
	out->flags = (fc_u8)(word >> 40);
	out->seq = (fc_u16)(word >> 48);
	return 1;
}

/*
 * Client, after reading events, where it may have more commands or shots under way than event slots: gives the slots back
 * and says whether the worker sleeps. Full barrier, then the flag, as fc_doorbell_needed(): the worker looks at event_head
 * once more after arming.
 */
static inline int fc_credit_doorbell_needed(struct fc_ring_header *header, fc_u32 event_head)
{
	fc_store_release(&header->event_head, event_head);
	fc_full_barrier();
	return fc_load_relaxed(&header->worker_armed) != 0;
}

/* --- results with FC_E_BLOCK ------------------------------------------------------------------------------------ */

/*
 * A block starts at a multiple of its size, so that where it starts and how much was put into it share their bits: order of
 * the size << 26 | start in the pool | bytes - 1.
 */
static inline fc_s32 fc_block_result(fc_u32 size_order, fc_u32 start, fc_u32 bytes)
{
	return (fc_s32)(size_order << 26 | start | (bytes - 1));
}

static inline fc_u32 fc_block_size(fc_s32 result)
{
	return 1u << ((fc_u32)result >> 26);
}

/* Byte offset in the pool: what FC_OP_BUFFER_RETURN takes. */
static inline fc_u32 fc_block_start(fc_s32 result)
{
	return (fc_u32)result & 0x3ffffffu & ~(fc_block_size(result) - 1);
}

/* How many bytes of the block were filled. */
static inline fc_u32 fc_block_bytes(fc_s32 result)
{
	return ((fc_u32)result & (fc_block_size(result) - 1)) + 1;
}

/* --- sleeping: publish, full barrier, re-check, sleep ---------------------------------------------------------- */

/* Either side arms its flag, and must look at its ring once more before it sleeps. */
static inline void fc_arm(fc_u32 *armed)
{
	fc_store_relaxed(armed, 1u);
	fc_full_barrier();
}

static inline void fc_disarm(fc_u32 *armed)
{
	fc_store_relaxed(armed, 0u);
}

/*
 * Host, after a batch of events of which at least one is not quiet: is an event interrupt wanted? If so, first
 * fc_disarm() client_armed, then raise: a sleeper takes the cleared flag for its wake-up, even when no event is pending
 * (this look may come late, when the client has consumed the events and armed anew; it must then arm once more).
 */
static inline int fc_interrupt_needed(struct fc_ring_header *header)
{
	fc_full_barrier();
	return fc_load_relaxed(&header->client_armed) != 0;
}

#endif
