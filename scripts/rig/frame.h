// SPDX-License-Identifier: MIT
// What the agent in the rig host (L1) sends to the supervisor outside, over one virtio-serial port.
//
// One port for everything, so that the exit status cannot overtake output: when it arrives, all output has.
#ifndef FARCALL_SCRIPTS_RIG_FRAME_H
#define FARCALL_SCRIPTS_RIG_FRAME_H

#include <stdint.h>

enum frame_type {
  FRAME_STARTED = 'S',  // the command is about to be started; no payload
  FRAME_STDOUT = 'o',
  FRAME_STDERR = 'e',
  FRAME_EXIT = 'X',  // payload: one byte, the exit status as a shell would give it
};

// On the wire: 1 byte type, 4 bytes little-endian payload length, payload.
enum { kFrameHeader = 5, kFramePayload = 30 * 1024 };  // the port driver takes at most 32 KiB a write

static inline void frame_pack(unsigned char *header, enum frame_type type, uint32_t length) {
  header[0] = (unsigned char)type;
  for (int i = 0; i < 4; i++) header[1 + i] = (unsigned char)(length >> (8 * i));
}

static inline uint32_t frame_length(const unsigned char *header) {
  uint32_t length = 0;
  for (int i = 0; i < 4; i++) length |= (uint32_t)header[1 + i] << (8 * i);
  return length;
}

#endif
