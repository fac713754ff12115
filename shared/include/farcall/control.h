/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR MIT */
/*
 * The control path: set-up, registration and teardown, the same requests over the PCI device (written by farcall.ko)
 * and over the local transport's Unix socket. Nothing here is on the path of a command.
 */
#ifndef FARCALL_CONTROL_H
#define FARCALL_CONTROL_H

#include <farcall/abi.h>

/*
 * Control requests. in: what the requester fills; out: what the host fills before it sets status. Fields not named
 * must be zero (-EINVAL). status is -errno or 0; FC_CONTROL_PENDING while the host works on it.
 */
enum fc_control_op {
	/* in: arg[0] version, arg[1] accepted features. out: arg[0..4], see HELLO's answer below.
	 * -EPROTO: version not spoken; -ENOTSUP: a feature that was not offered; both answer the host's version and
	 * features all the same. Must come first. */
	FC_CTL_HELLO = 1,
	/* in: flags FC_CLIENT_*, arg[0] serial of another client (FC_CLIENT_NEAR). out: client = its number,
	 * arg[0] = serial (event IDs), arg[1] = user | group << 32 with whose rights the host works. -EMFILE: too many
	 * clients; -EPERM: streams asked for twice or not offered; -ENOENT: nobody has that serial. */
	FC_CTL_CLIENT_CREATE = 2,
	/* in: client. Completes when nothing of the client is in use by the host any more: its memory may be freed. With
	 * commands under way that are FC_F_DETACH, that can take as long as the host lets them go on. */
	FC_CTL_CLIENT_DESTROY = 3,
	/* in: client, flags FC_CHANNEL_*, arg[0] address of its memory (page-aligned, contiguous), arg[1] its bytes,
	 * arg[2] command slots | event slots << 32, arg[3] interrupt vector (device). out: channel, arg[0] doorbell offset.
	 * -EINVAL: sizes; -EFAULT: address; -EMFILE: too many; -ENXIO: no arena yet. */
	FC_CTL_CHANNEL_CREATE = 4,
	/* in: client, channel. Completes when the host no longer touches its memory: what waits is cancelled, what is
	 * FC_F_DETACH or runs in the blocking pool goes on without an event and keeps its region until then. -ENOENT. */
	FC_CTL_CHANNEL_DESTROY = 5,
	/* in: client, flags FC_REGION_*, arg[0] address of an array of struct fc_segment, arg[1] its length.
	 * out: arg[0] = region key. The first region must be the arena (FC_REGION_ARENA), key 0. -EFAULT, -EINVAL, -ENOSPC. */
	FC_CTL_REGION_ADD = 6,
	/* in: client, arg[0] region key. Completes when no command uses it any more. -ENOENT; -EBUSY for the arena. */
	FC_CTL_REGION_REMOVE = 7,
	/* in: client, arg[0] = how many. out: arg[0] = first event ID of that many. -ENOSPC: too many blocks alive;
	 * -EDQUOT: too much of the domain's memory in use. */
	FC_CTL_EVENT_IDS = 8,
	/* device only. in: arg[0] = exit status (0..255). The VM stops. */
	FC_CTL_VM_EXIT = 9,
	FC_CTL_COUNT
};

#define FC_CONTROL_PENDING 1 /* status values of finished requests are <= 0 */

#define FC_CLIENT_STREAMS 0x1u /* give it the standard streams, control and log handles (the guest's init only) */
#define FC_CLIENT_NEAR 0x2u /* on the worker of the client with serial arg[0], so that the two can share events */
#define FC_CLIENT_KERNEL 0x4u /* device only: acts for all processes of a guest; its handles count for the domain alone */
#define FC_CHANNEL_TIMESTAMPS 0x1u
#define FC_REGION_ARENA 0x1u
#define FC_REGION_WRITE 0x2u /* the host may write to it (reads into it); the arena must have it */

struct fc_control {
	fc_u32 op;
	fc_s32 status;
	fc_u32 client;
	fc_u32 channel;
	fc_u32 flags;
	fc_u32 reserved;
	fc_u64 arg[5];
};
FC_ASSERT_FIELD(fc_control, op, 0);
FC_ASSERT_FIELD(fc_control, status, 4);
FC_ASSERT_FIELD(fc_control, client, 8);
FC_ASSERT_FIELD(fc_control, channel, 12);
FC_ASSERT_FIELD(fc_control, flags, 16);
FC_ASSERT_FIELD(fc_control, arg, 24);
FC_ASSERT_SIZE(fc_control, 64);

/* HELLO's answer: arg[0] version, arg[1] features, arg[2] max channels | max regions << 32 (both per client),
 * arg[3] max command slots | max event slots << 32, arg[4] max bytes of a region. */

/* A piece of a region, in the transport's addresses (guest-physical bytes; offsets into the client's memfd). */
struct fc_segment {
	fc_u64 address;
	fc_u64 bytes;
};
FC_ASSERT_SIZE(fc_segment, 16);
#define FC_MAX_SEGMENTS 65536u /* per region */
/* Segments begin and end on 8-byte boundaries in the arena, anywhere in other regions. */

/* Event ID blocks: FC_CTL_EVENT_IDS rounds up to whole blocks of this many. */
#define FC_ID_BLOCK 4096u
#define FC_MAX_ID_REQUEST (1u << 16)

/*
 * The PCI device. BAR 0: registers (below). BAR 2: doorbells, one page per worker; a store of any 32-bit value at the
 * channel's doorbell offset wakes its worker (ioeventfd, no exit to user space). BAR 4: MSI-X table and PBA.
 * Vector 0: control requests finished; vectors 1..n-1: event interrupts, chosen by the module for each channel.
 */
#define FC_PCI_VENDOR 0xfca1u /* not assigned by the PCI-SIG: farcall's own monitor only */
#define FC_PCI_DEVICE 0x0001u
#define FC_PCI_BAR_REGISTERS 0
#define FC_PCI_BAR_DOORBELLS 2
#define FC_PCI_BAR_MSIX 4
#define FC_PCI_VECTORS 64u

#define FC_REG_MAGIC 0x00	/* ro: FC_ABI_MAGIC */
#define FC_REG_VERSION 0x04	/* ro: FC_ABI_VERSION */
#define FC_REG_FEATURES_LO 0x08 /* ro: offered features */
#define FC_REG_FEATURES_HI 0x0c
#define FC_REG_CONTROL_LO 0x10 /* rw: guest-physical address of the control page: FC_CONTROL_SLOTS struct fc_control */
#define FC_REG_CONTROL_HI 0x14
#define FC_REG_CONTROL_POST 0x18 /* wo: index of the slot to handle; its status must be FC_CONTROL_PENDING */
#define FC_REG_RESET 0x1c	 /* wo: any value: all clients are destroyed; reads 1 until that is done, then 0 */
#define FC_REG_VM_EXIT 0x20	 /* wo: as FC_CTL_VM_EXIT, for panics and for guests without the module */
#define FC_REG_EXITS 0x24 /* ro: VM exits to the monitor so far, of all vCPUs, this read included; wraps */
#define FC_REG_BYTES 0x1000

#define FC_CONTROL_SLOTS 64u /* one page */

/*
 * The local transport: SOCK_SEQPACKET on a Unix socket; each message is one struct fc_control, each answer the same.
 * HELLO carries the client's memfd (SCM_RIGHTS; sealed against shrinking), whose offsets are the addresses of
 * CHANNEL_CREATE and REGION_ADD; arg[2] its bytes. REGION_ADD with a descriptor (a further sealed memfd, arg[1] == 0,
 * arg[2] its bytes) registers that whole memfd. Without one, arg[0] is an offset into the first memfd and arg[1] == 0,
 * arg[2] its bytes. CHANNEL_CREATE's answer carries one end of a socket pair: writing 8 bytes to it rings the doorbell,
 * its becoming readable is the event interrupt (drain it). Not eventfds: a shared eventfd lets either side block the other.
 * One connection is one client, made by CLIENT_CREATE; closing it destroys the client. Beside the errnos above: -EPROTO
 * before HELLO, -EACCES: this user is not served, -EINVAL: a memfd that is not sealed against shrinking or has huge
 * pages, -E2BIG: more memory than the server maps for one client.
 */

#endif
