/* SPDX-License-Identifier: GPL-2.0-only */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM farcall

#if !defined(FARCALL_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define FARCALL_TRACE_H

#include <linux/tracepoint.h>

/* A thread's weight changed: why (priority, base), and what the scheduler was told (nice; slice, 0: its own; rank, 0: none). */
TRACE_EVENT(farcall_weight,
	TP_PROTO(pid_t pid, u32 priority, u32 base, u32 weight, int nice, u32 slice_us,
		 u32 rank),
	TP_ARGS(pid, priority, base, weight, nice, slice_us, rank),
	TP_STRUCT__entry(
		__field(pid_t, pid)
		__field(u32, priority)
		__field(u32, base)
		__field(u32, weight)
		__field(int, nice)
		__field(u32, slice_us)
		__field(u32, rank)
	),
	TP_fast_assign(
		__entry->pid = pid;
		__entry->priority = priority;
		__entry->base = base;
		__entry->weight = weight;
		__entry->nice = nice;
		__entry->slice_us = slice_us;
		__entry->rank = rank;
	),
	TP_printk("pid=%d srt_priority=%u srt_base=%u weight=%u nice=%d slice_us=%u rank=%u",
		  __entry->pid, __entry->priority, __entry->base, __entry->weight, __entry->nice,
		  __entry->slice_us, __entry->rank)
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
