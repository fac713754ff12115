/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR MIT */
/*
 * ioctls of /dev/farcall (a client) and of the channel descriptors that it hands out.
 * All structs: fields called reserved and unknown flags must be zero (-EINVAL). Every call can also fail with -EFAULT
 * (bad pointer), -ENOTTY (unknown call), -ENODEV (device removed) and -EPERM (caller's mm is not the client's).
 */
#ifndef FARCALL_IOCTL_H
#define FARCALL_IOCTL_H

#include <farcall/abi.h>
#ifdef __KERNEL__
#include <linux/ioctl.h>
#else
#include <sys/ioctl.h>
#endif

#define FC_DEVICE_PATH "/dev/farcall"
#define FC_IOC_MAGIC 0xfc

/* What the host offers and allows. */
struct fc_ioc_info {
	fc_u32 version;
	fc_u32 serial; /* of this client: high bits of its event IDs */
	fc_u64 features;
	fc_u32 max_channels; /* per client, as are the next four */
	fc_u32 max_regions;
	fc_u32 max_command_slots;
	fc_u32 max_event_slots;
	fc_u64 max_region_bytes;
	fc_u32 vm_exits; /* FC_REG_EXITS: asking costs one */
	fc_u32 reserved;
};
FC_ASSERT_SIZE(fc_ioc_info, 48);

/*
 * The arena: region 0, once per client, before anything else. Map it with mmap(client fd, offset 0, bytes, MAP_SHARED).
 * -EEXIST: there is one; -EINVAL: bytes 0 or not whole pages; -ENOMEM; -E2BIG: over max_region_bytes; -ENOENT:
 * FC_IOC_NEAR named nobody.
 */
struct fc_ioc_arena {
	fc_u64 bytes;
	fc_u64 reserved;
};

/*
 * A channel for one thread. out: fd, to be mapped: offset 0 the ring memory (bytes long), FC_MMAP_DOORBELL the doorbell
 * page, where a 32-bit store at doorbell_offset wakes the worker. The fd polls readable when events wait, and takes
 * FC_IOC_WAIT. -EINVAL: slots (powers of two, FC_MIN_SLOTS to max) or flags; -EMFILE: channels or descriptors; -ENOMEM;
 * -ENXIO: no arena yet.
 */
struct fc_ioc_channel {
	fc_u32 command_slots; /* in */
	fc_u32 event_slots;   /* in */
	fc_u32 flags;	      /* in: FC_CHANNEL_TIMESTAMPS */
	fc_s32 fd;	      /* out */
	fc_u32 bytes;	      /* out */
	fc_u32 doorbell_offset; /* out: inside the doorbell page */
	fc_u64 reserved;
};
FC_ASSERT_SIZE(fc_ioc_channel, 32);
#define FC_MMAP_DOORBELL 0x40000000ull

/*
 * Pins [address, address + bytes) of the caller and makes it a region; out: key. Counts against RLIMIT_MEMLOCK.
 * -EINVAL: bytes 0 or flags; -EFAULT: not mapped, or not writable with FC_REGION_WRITE; -ENOMEM: limit; -ENOSPC: regions;
 * -E2BIG; -ENXIO: no arena yet.
 */
struct fc_ioc_region {
	fc_u64 address;
	fc_u64 bytes;
	fc_u32 flags; /* FC_REGION_WRITE */
	fc_u32 key;   /* out */
	fc_u64 reserved;
};
FC_ASSERT_SIZE(fc_ioc_region, 32);

/* count (1 .. FC_MAX_ID_REQUEST) is rounded up to whole blocks; out: first and how many. -EINVAL; -ENOSPC; -EDQUOT; -ENXIO. */
struct fc_ioc_ids {
	fc_u32 count;
	fc_u32 reserved;
	fc_u64 first;
};
FC_ASSERT_SIZE(fc_ioc_ids, 16);

/*
 * Sleeps until the channel's event interrupt, timeout_ns (0: do not sleep, < 0: no limit) or a signal. The caller has
 * armed the channel (client_armed) and looked at the ring once more; client_armed == 0 counts as woken, and so do events
 * at the event_head of the header. 0: look again (may be spurious); -ETIME; -EINTR; -EPIPE: the channel is closed or
 * poisoned. poll() and epoll arm by themselves: who sleeps there must not clear client_armed in between.
 */
struct fc_ioc_wait {
	fc_s64 timeout_ns;
	fc_u64 reserved;
};

/*
 * A socket of the guest whose peers may also be the host's, as socket() would make it: sock.h of the module says how. The
 * result is its descriptor. Needs no arena; whoever has the device's descriptor may, whatever its mm (no -EPERM).
 * -EINVAL: reserved; -EAFNOSUPPORT: not AF_INET or AF_INET6; -ESOCKTNOSUPPORT: not SOCK_STREAM or SOCK_DGRAM;
 * -EPROTONOSUPPORT: not 0, TCP or UDP: after these the caller makes a socket of the guest alone. -EMFILE, -ENFILE,
 * -ENOMEM, -ENOBUFS: as socket().
 *
 * Its calls fail as those of any socket, and with: connect(), sendto(): -EPERM: the host's policy forbids an address that is
 * none of the guest's (those of the guest: -ECONNREFUSED, as if nobody listened), -ENOBUFS: no memory that the host can see,
 * -EMFILE, -ENFILE: the host's limits, -ENODEV: the device is gone. setsockopt(): -ENOPROTOOPT: an option that the host's
 * socket would not honour. Datagrams to the host with ancillary data: -EINVAL: an address to send from that is not the
 * socket's own, -ENODEV: an interface but the guest's loopback, -EIO: UDP_SEGMENT, -EOPNOTSUPP: those of SOL_SOCKET.
 * -EOPNOTSUPP: MSG_FASTOPEN, and to the host MSG_OOB and, with SO_ZEROCOPY, MSG_ZEROCOPY.
 */
struct fc_ioc_socket {
	fc_u32 family;
	fc_u32 type; /* may have SOCK_NONBLOCK and SOCK_CLOEXEC */
	fc_u32 protocol;
	fc_u32 reserved;
};
FC_ASSERT_SIZE(fc_ioc_socket, 16);

#define FC_IOC_INFO _IOR(FC_IOC_MAGIC, 0, struct fc_ioc_info)
#define FC_IOC_ARENA _IOW(FC_IOC_MAGIC, 1, struct fc_ioc_arena)
#define FC_IOC_CHANNEL _IOWR(FC_IOC_MAGIC, 2, struct fc_ioc_channel)
#define FC_IOC_REGION_ADD _IOWR(FC_IOC_MAGIC, 3, struct fc_ioc_region)
#define FC_IOC_REGION_REMOVE _IOW(FC_IOC_MAGIC, 4, fc_u32) /* key. -ENOENT; -EBUSY: arena */
#define FC_IOC_EVENT_IDS _IOWR(FC_IOC_MAGIC, 5, struct fc_ioc_ids)
#define FC_IOC_WAIT _IOW(FC_IOC_MAGIC, 6, struct fc_ioc_wait)	/* on a channel */
#define FC_IOC_STREAMS _IO(FC_IOC_MAGIC, 7)	/* before the arena: take the standard streams. -EPERM without CAP_SYS_ADMIN; -EEXIST */
#define FC_IOC_VM_EXIT _IOW(FC_IOC_MAGIC, 8, fc_u32) /* exit status 0..255. -EPERM without CAP_SYS_BOOT */
/* Before the arena: be served by the worker of the client with this serial, which must be there when the arena is made
 * (else that fails with -ENOENT), to share events with it. -EINVAL: 0; -EEXIST: too late. */
#define FC_IOC_NEAR _IOW(FC_IOC_MAGIC, 9, fc_u32)
#define FC_IOC_SOCKET _IOW(FC_IOC_MAGIC, 10, struct fc_ioc_socket)

#endif
