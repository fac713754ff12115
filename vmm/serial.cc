// SPDX-License-Identifier: MIT
#include "vmm/serial.h"

#include <unistd.h>

namespace farcall::vmm {

namespace {

enum Register : unsigned {
    kData = 0,
    kInterruptEnable = 1,
    kInterruptId = 2,  // reading; writing: FIFO control
    kLineControl = 3,
    kModemControl = 4,
    kLineStatus = 5,
    kModemStatus = 6,
    kScratch = 7
};

constexpr uint8_t kEnableTransmitterEmpty = 0x02;
constexpr uint8_t kIdNone = 0x01;
constexpr uint8_t kIdTransmitterEmpty = 0x02;
constexpr uint8_t kIdFifo = 0xc0;
constexpr uint8_t kAlwaysEmpty = 0x60;  // transmitter holding and shift registers
constexpr uint8_t kLoop = 0x10;
constexpr uint8_t kCarrierAndReady = 0xb0;

constexpr size_t kLineMax = 1024;

}  // namespace

void ConsoleLog::put(char byte) {
    const std::scoped_lock lock(mutex_);
    kept_.push_back(byte);
    if (kept_.size() >= 2 * kKept) kept_.erase(0, kKept);
    if (fd_ < 0) return;
    if (byte != '\r') line_.push_back(byte);
    if (byte == '\n' || line_.size() >= kLineMax) flush();
}

void ConsoleLog::flush() {
    size_t done = 0;
    while (done < line_.size()) {
        const ssize_t written = ::write(fd_, line_.data() + done, line_.size() - done);
        if (written <= 0) break;  // nobody reads: the guest goes on all the same
        done += static_cast<size_t>(written);
    }
    line_.clear();
}

std::string ConsoleLog::text() const {
    const std::scoped_lock lock(mutex_);
    return kept_.size() > kKept ? kept_.substr(kept_.size() - kKept) : kept_;
}

void Serial::transmitter_empty() {
    if ((interrupt_enable_ & kEnableTransmitterEmpty) == 0) return;
    empty_pending_ = true;
    interrupt_();
}

uint8_t Serial::read(unsigned reg) {
    const std::scoped_lock lock(mutex_);
    switch (reg) {
        case kData:
            return divisor_access() ? divisor_low_ : 0;
        case kInterruptEnable:
            return divisor_access() ? divisor_high_ : interrupt_enable_;
        case kInterruptId: {
            const uint8_t id = empty_pending_ ? kIdTransmitterEmpty : kIdNone;
            empty_pending_ = false;
            return static_cast<uint8_t>(id | (fifo_ ? kIdFifo : 0));
        }
        case kLineControl:
            return line_control_;
        case kModemControl:
            return modem_control_;
        case kLineStatus:
            return kAlwaysEmpty;
        case kModemStatus: {
            if ((modem_control_ & kLoop) == 0) return kCarrierAndReady;
            // Looped back: RTS is CTS, DTR is DSR, OUT1 is RI, OUT2 is DCD.
            const unsigned m = modem_control_;
            return static_cast<uint8_t>((m & 2) << 3 | (m & 1) << 5 | (m & 4) << 4 | (m & 8) << 4);
        }
        case kScratch:
            return scratch_;
        default:
            return 0xff;
    }
}

void Serial::write(unsigned reg, uint8_t value) {
    const std::scoped_lock lock(mutex_);
    switch (reg) {
        case kData:
            if (divisor_access()) {
                divisor_low_ = value;
            } else {
                if ((modem_control_ & kLoop) == 0) log_.put(static_cast<char>(value));
                transmitter_empty();
            }
            break;
        case kInterruptEnable:
            if (divisor_access()) {
                divisor_high_ = value;
            } else {
                interrupt_enable_ = value & 0x0f;
                empty_pending_ = false;
                transmitter_empty();
            }
            break;
        case kInterruptId:
            fifo_ = (value & 1) != 0;
            break;
        case kLineControl:
            line_control_ = value;
            break;
        case kModemControl:
            modem_control_ = value & 0x1f;
            break;
        case kScratch:
            scratch_ = value;
            break;
        default:
            break;
    }
}

}  // namespace farcall::vmm
