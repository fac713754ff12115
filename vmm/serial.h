// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>

namespace farcall::vmm {

/// What the guest prints on its console: the last kKept bytes are kept, and all of it goes to a descriptor if
/// there is one. Any thread.
class ConsoleLog {
  public:
    static constexpr size_t kKept = 64 * 1024;

    /// `fd`: borrowed, -1 for none. Written line by line.
    explicit ConsoleLog(int fd = -1) : fd_(fd) {}

    void put(char byte);
    /// What is kept, oldest first.
    std::string text() const;

  private:
    void flush();

    mutable std::mutex mutex_;
    int fd_;
    std::string kept_;  // up to twice kKept, then cut
    std::string line_;
};

/// The transmitting half of a 16550 at COM1, enough for a Linux console and tty. Nothing is ever received.
/// Any thread.
class Serial {
  public:
    /// `interrupt` raises the port's (edge-triggered) interrupt line; called with the port's lock held.
    Serial(ConsoleLog& log, std::function<void()> interrupt) : log_(log), interrupt_(std::move(interrupt)) {}

    /// `reg`: 0 .. 7.
    uint8_t read(unsigned reg);
    void write(unsigned reg, uint8_t value);

  private:
    bool divisor_access() const { return (line_control_ & 0x80) != 0; }
    void transmitter_empty();

    ConsoleLog& log_;
    std::function<void()> interrupt_;
    std::mutex mutex_;
    uint8_t interrupt_enable_ = 0;
    uint8_t line_control_ = 0;
    uint8_t modem_control_ = 0;
    uint8_t scratch_ = 0;
    uint8_t divisor_low_ = 0;
    uint8_t divisor_high_ = 0;
    bool fifo_ = false;
    bool empty_pending_ = false;  // the transmitter-empty interrupt waits to be read
};

}  // namespace farcall::vmm
