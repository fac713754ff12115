// SPDX-License-Identifier: MIT
#include "vmm/interrupts.h"

#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cstring>

#include "host-lib/error.h"
#include "vmm/layout.h"

namespace farcall::vmm {

namespace {

std::vector<kvm_irq_routing_entry> default_routes() {
    std::vector<kvm_irq_routing_entry> routes;
    const auto add = [&](uint32_t gsi, uint32_t chip, uint32_t pin) {
        kvm_irq_routing_entry entry{};
        entry.gsi = gsi;
        entry.type = KVM_IRQ_ROUTING_IRQCHIP;
        entry.u.irqchip.irqchip = chip;
        entry.u.irqchip.pin = pin;
        routes.push_back(entry);
    };
    for (uint32_t gsi = 0; gsi < 8; gsi++)
        add(gsi, KVM_IRQCHIP_PIC_MASTER, gsi);
    for (uint32_t gsi = 8; gsi < 16; gsi++)
        add(gsi, KVM_IRQCHIP_PIC_SLAVE, gsi - 8);
    for (uint32_t gsi = 0; gsi < layout::kIoApicPins; gsi++)
        add(gsi, KVM_IRQCHIP_IOAPIC, gsi);
    return routes;
}

uint32_t gsi_of(unsigned vector) {
    return layout::kGsiMsiFirst + vector;
}

}  // namespace

KvmInterrupts::KvmInterrupts(Vm& vm)
    : vm_(vm),
      com1_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      fixed_(default_routes()),
      routes_(Msix::kVectors) {
    if (!com1_) throw errno_error("cannot create an eventfd");
    int result = vm_.set_routing(fixed_);
    if (result == 0) result = vm_.assign_irqfd(com1_.get(), layout::kGsiCom1);
    if (result < 0) throw errno_error("cannot route interrupts", -result);
}

void KvmInterrupts::raise_com1() const {
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(com1_.get(), &one, sizeof one);
}

void KvmInterrupts::route(unsigned vector, const MsiMessage& message) {
    if (routes_[vector].used && routes_[vector].message == message) return;
    routes_[vector].used = true;
    routes_[vector].message = message;
    std::vector<kvm_irq_routing_entry> entries = fixed_;
    for (unsigned i = 0; i < routes_.size(); i++) {
        if (!routes_[i].used) continue;
        kvm_irq_routing_entry entry{};
        entry.gsi = gsi_of(i);
        entry.type = KVM_IRQ_ROUTING_MSI;
        entry.u.msi.address_lo = static_cast<uint32_t>(routes_[i].message.address);
        entry.u.msi.address_hi = static_cast<uint32_t>(routes_[i].message.address >> 32);
        entry.u.msi.data = routes_[i].message.data;
        entries.push_back(entry);
    }
    const int result = vm_.set_routing(entries);
    if (result < 0) spdlog::debug("interrupt vector {} cannot be routed: {}", vector, std::strerror(-result));
}

void KvmInterrupts::connect(unsigned vector, int event_fd, const MsiMessage& message) {
    const std::scoped_lock lock(mutex_);
    route(vector, message);
    if (routes_[vector].attached) return;
    const int result = vm_.assign_irqfd(event_fd, gsi_of(vector));
    if (result < 0)
        spdlog::debug("interrupt vector {} cannot be attached: {}", vector, std::strerror(-result));
    routes_[vector].attached = result == 0;
}

void KvmInterrupts::disconnect(unsigned vector, int event_fd) {
    const std::scoped_lock lock(mutex_);
    if (!routes_[vector].attached) return;
    vm_.remove_irqfd(event_fd, gsi_of(vector));
    routes_[vector].attached = false;
}

}  // namespace farcall::vmm
