// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace farcall {

/// The dispatcher's queue: higher bands of priority first, within a band in order of arrival. A band is a
/// quarter of the 256 priorities that a command can have.
template <class T>
class ReadyQueue {
  public:
    static constexpr unsigned kBands = 4;
    static unsigned band(uint8_t priority) { return priority / (256 / kBands); }

    void push(const T& item, uint8_t priority) {
        const unsigned which = band(priority);
        bands_[which].items.push_back(item);
        filled_ |= 1u << which;
        size_++;
    }
    /// Not of an empty queue.
    T pop() {
        const auto which = static_cast<unsigned>(std::bit_width(filled_ | 1u) - 1);
        Band& band = bands_[which];
        T item = std::move(band.items[band.head++]);
        size_--;
        if (band.head == band.items.size()) {
            band.items.clear();
            band.head = 0;
            filled_ &= ~(1u << which);
        }
        return item;
    }
    bool empty() const { return size_ == 0; }
    size_t size() const { return size_; }

  private:
    struct Band {
        std::vector<T> items;
        size_t head = 0;
    };
    std::array<Band, kBands> bands_;
    uint32_t filled_ = 0;  ///< bands that have something
    size_t size_ = 0;
};

}  // namespace farcall
