/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR MIT */
/*
 * What the monitor and the guest's init (guest-lib/init) say to each other: a configuration file in the initial RAM
 * disk, and records read from FC_HANDLE_CONTROL.
 *
 * /farcall/config, text, one "key value" per line, values percent-encoded ("%20", no raw white space or control bytes):
 *   arg VALUE    one argument of the command, in order; the first is the program's path
 *   env NAME=VALUE
 *   cwd PATH     working directory (default /)
 *   user UID:GID ids to run as (default 1000:1000); `user 0:0` keeps root
 *   tty ROWSxCOLUMNS  run the command on a pseudo-terminal of that size instead of pipes
 *   module PATH  load this module of the kernel, in order
 *   root SHARE:ro|rw[,timeout=MS]  the root file system is that share, instead of the initial RAM disk
 *   image TYPE   that share is one file, in which a file system of TYPE lies: that is the root
 *   mount SHARE:ro|rw[,timeout=MS]:PATH  a share as a file system at PATH (of type farcall, owned by the command's
 *                user), in order; MS: how long the guest believes what it knows of a name
 *   trace PATH   make a FIFO there that everybody may write to, and copy what comes to FC_HANDLE_STDERR
 *   summary PATH copy that file, if it is there, to FC_HANDLE_STDERR when the command has ended
 *   log 1        copy the kernel log to FC_HANDLE_LOG when the command has ended
 */
#ifndef FARCALL_INIT_H
#define FARCALL_INIT_H

#include <farcall/abi.h>

#define FC_INIT_CONFIG "/farcall/config"
#define FC_INIT_MODULE "/farcall/farcall.ko"
/* What the command itself uses: libfarcall-preload.so, farcall-exec, traces. Everybody may write there. */
#define FC_INIT_RUN "/run/farcall"

enum fc_init_record_type {
	FC_INIT_SIGNAL = 1, /* a = signal number to send to the command's process group */
	FC_INIT_WINDOW = 2, /* a = rows, b = columns */
};

/* One record from the host; reads of FC_HANDLE_CONTROL return whole records. */
struct fc_init_record {
	fc_u32 type;
	fc_u32 a;
	fc_u32 b;
	fc_u32 reserved;
};
FC_ASSERT_SIZE(fc_init_record, 16);

#endif
