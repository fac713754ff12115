// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>

#include <farcall/control.h>

#include "host-lib/engine.h"
#include "host-lib/guest_memory.h"
#include "vmm/msix.h"

namespace farcall::vmm {

/// The guest's control requests: each is copied once from its slot, checked, handed to the domain, and
/// answered in its slot by whichever thread of the engine finishes it, followed by an interrupt on vector 0.
///
/// The guest is hostile: whatever it posts, and whenever, ends in an answer or is ignored. post() and reset()
/// may be called by any thread. Must outlive the engine's threads, and all that it was given must outlive it.
class ControlRequests {
  public:
    struct Parts {
        const GuestMemory& memory;
        Domain& domain;
        const Msix& interrupts;
        std::function<void(int)> vm_exit;  ///< the guest gave an exit status
    };
    explicit ControlRequests(Parts parts);
    ControlRequests(const ControlRequests&) = delete;
    ControlRequests& operator=(const ControlRequests&) = delete;

    /// The guest posted `slot` of the control page at `page`. Ignored: a bad slot or address, a slot without
    /// FC_CONTROL_PENDING, a slot whose last request is still under way.
    void post(uint64_t page, uint32_t slot);

    /// Destroys all clients and forgets HELLO. reset_pending() until the host uses nothing of them any more.
    void reset();
    bool reset_pending() const;

  private:
    struct Rule;
    /// A request on its way: where the answer goes, and the private copy.
    struct Request {
        fc_control* slot_memory;
        uint32_t slot;
        fc_control copy;
    };
    static const Rule* rule_of(uint32_t op);

    int check(const fc_control& in) const;
    void start(const Request& request);
    void hello(Request request);
    void create_client(const Request& request);
    void destroy_client(const Request& request);
    void create_channel(const Request& request);
    void destroy_channel(const Request& request);
    void add_region(const Request& request);
    void remove_region(const Request& request);
    void event_ids(const Request& request);
    void exit_vm(const Request& request);

    ControlDone answer_with(const Request& request, void (*fill)(fc_control&, uint64_t));
    void answer(const Request& request, int status);
    void request_done();
    void destroy_all_again();

    Parts parts_;
    const uint64_t host_user_;  ///< with whose rights commands are run: user | group << 32
    mutable std::mutex mutex_;  // everything below
    std::array<bool, FC_CONTROL_SLOTS> busy_{};
    unsigned in_flight_ = 0;
    bool greeted_ = false;
    uint64_t features_ = 0;  ///< those accepted with HELLO
    // A reset destroys all clients, waits for the requests under way, and destroys again what those created.
    enum class Reset { kIdle, kDestroying, kWaiting, kDestroyingAgain };
    Reset reset_ = Reset::kIdle;
};

}  // namespace farcall::vmm
