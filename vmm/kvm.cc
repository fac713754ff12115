// SPDX-License-Identifier: MIT
#include "vmm/kvm.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/ioctl.h>

#include <array>
#include <cstring>

#include "host-lib/error.h"
#include "vmm/layout.h"

namespace farcall::vmm {

namespace {

#define FC_CAPABILITY(name, why) \
    { name, #name, why }
constexpr std::array kNeeded = {
    Capability FC_CAPABILITY(KVM_CAP_USER_MEMORY, "guest RAM"),
    Capability FC_CAPABILITY(KVM_CAP_IRQCHIP, "interrupt controllers in the kernel"),
    Capability FC_CAPABILITY(KVM_CAP_PIT2, "timer in the kernel"),
    Capability FC_CAPABILITY(KVM_CAP_SET_TSS_ADDR, "page for real mode on Intel"),
    Capability FC_CAPABILITY(KVM_CAP_SET_IDENTITY_MAP_ADDR, "page for real mode on Intel"),
    Capability FC_CAPABILITY(KVM_CAP_EXT_CPUID, "CPU features"),
    Capability FC_CAPABILITY(KVM_CAP_IRQ_ROUTING, "MSI-X"),
    Capability FC_CAPABILITY(KVM_CAP_IRQFD, "event interrupts"),
    Capability FC_CAPABILITY(KVM_CAP_IOEVENTFD, "doorbells"),
    Capability FC_CAPABILITY(KVM_CAP_IMMEDIATE_EXIT, "stopping virtual CPUs"),
};
#undef FC_CAPABILITY

int call(int fd, unsigned long request, void* argument) {
    const int result = ::ioctl(fd, request, argument);
    return result < 0 ? -errno : result;
}

}  // namespace

std::span<const Capability> needed_capabilities() {
    return kNeeded;
}

Kvm::Kvm() : fd_(::open("/dev/kvm", O_RDWR | O_CLOEXEC)) {
    if (!fd_) {
        if (errno == ENOENT) throw Error("this machine offers no KVM: /dev/kvm does not exist");
        if (errno == EACCES || errno == EPERM) {
            throw Error(
                "no permission to open /dev/kvm: run as a member of the group that owns it, or as root");
        }
        throw errno_error("cannot open /dev/kvm");
    }
    const int version = ::ioctl(fd_.get(), KVM_GET_API_VERSION, 0);
    if (version < 0) throw errno_error("/dev/kvm is not KVM");
    if (version != KVM_API_VERSION) {
        throw Error(fmt::format("/dev/kvm speaks API version {}, not {}", version, KVM_API_VERSION));
    }
}

int Kvm::extension(unsigned capability) const {
    const int result = ::ioctl(fd_.get(), KVM_CHECK_EXTENSION, capability);
    return result < 0 ? 0 : result;
}

std::vector<std::string> Kvm::missing() const {
    std::vector<std::string> names;
    for (const Capability& capability : kNeeded) {
        if (extension(capability.number) == 0) {
            names.push_back(fmt::format("{} ({})", capability.name, capability.why));
        }
    }
    return names;
}

void Kvm::require_all() const {
    const auto names = missing();
    if (!names.empty()) throw Error(fmt::format("this machine's KVM lacks {}", fmt::join(names, ", ")));
}

std::vector<kvm_cpuid_entry2> Kvm::supported_cpuid() const {
    for (size_t room = 128; room <= 2048; room *= 2) {
        std::vector<std::byte> raw(sizeof(kvm_cpuid2) + room * sizeof(kvm_cpuid_entry2));
        auto* cpuid = reinterpret_cast<kvm_cpuid2*>(raw.data());
        cpuid->nent = static_cast<uint32_t>(room);
        const int result = call(fd_.get(), KVM_GET_SUPPORTED_CPUID, cpuid);
        if (result == -E2BIG) continue;
        if (result < 0) throw errno_error("cannot read the CPU features that KVM supports", -result);
        return {cpuid->entries, cpuid->entries + cpuid->nent};
    }
    throw Error("KVM reports more CPU feature leaves than any CPU has");
}

size_t Kvm::run_bytes() const {
    const int bytes = ::ioctl(fd_.get(), KVM_GET_VCPU_MMAP_SIZE, 0);
    if (bytes < static_cast<int>(sizeof(kvm_run)))
        throw errno_error("cannot read the size of KVM's vCPU state");
    return static_cast<size_t>(bytes);
}

Vm::Vm(const Kvm& kvm) {
    int fd;
    // A signal in the middle of creation is reported, not restarted.
    do {
        fd = ::ioctl(kvm.fd(), KVM_CREATE_VM, 0);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0) throw errno_error("cannot create a virtual machine");
    fd_.reset(fd);
}

void Vm::create_interrupt_controllers() {
    if (::ioctl(fd(), KVM_SET_TSS_ADDR, layout::kTss) < 0) throw errno_error("KVM_SET_TSS_ADDR");
    uint64_t identity_map = layout::kIdentityMap;
    if (::ioctl(fd(), KVM_SET_IDENTITY_MAP_ADDR, &identity_map) < 0)
        throw errno_error("KVM_SET_IDENTITY_MAP_ADDR");
    if (::ioctl(fd(), KVM_CREATE_IRQCHIP, 0) < 0) throw errno_error("cannot create interrupt controllers");
    kvm_pit_config pit{};
    pit.flags = KVM_PIT_SPEAKER_DUMMY;
    if (::ioctl(fd(), KVM_CREATE_PIT2, &pit) < 0) throw errno_error("cannot create a timer");
}

void Vm::add_memory(uint32_t slot, uint64_t guest_address, uint64_t bytes, void* host) {
    kvm_userspace_memory_region region{};
    region.slot = slot;
    region.guest_phys_addr = guest_address;
    region.memory_size = bytes;
    region.userspace_addr = reinterpret_cast<uint64_t>(host);
    if (::ioctl(fd(), KVM_SET_USER_MEMORY_REGION, &region) < 0)
        throw errno_error("cannot give the guest its RAM");
}

UniqueFd Vm::create_vcpu(unsigned index) {
    UniqueFd vcpu(::ioctl(fd(), KVM_CREATE_VCPU, static_cast<unsigned long>(index)));
    if (!vcpu) throw errno_error(fmt::format("cannot create virtual CPU {}", index));
    return vcpu;
}

int Vm::assign_irqfd(int event_fd, uint32_t gsi) {
    kvm_irqfd irqfd{};
    irqfd.fd = static_cast<uint32_t>(event_fd);
    irqfd.gsi = gsi;
    return call(fd(), KVM_IRQFD, &irqfd);
}

int Vm::remove_irqfd(int event_fd, uint32_t gsi) {
    kvm_irqfd irqfd{};
    irqfd.fd = static_cast<uint32_t>(event_fd);
    irqfd.gsi = gsi;
    irqfd.flags = KVM_IRQFD_FLAG_DEASSIGN;
    return call(fd(), KVM_IRQFD, &irqfd);
}

int Vm::assign_ioeventfd(int event_fd, uint64_t address, uint32_t bytes) {
    kvm_ioeventfd request{};
    request.fd = event_fd;
    request.addr = address;
    request.len = bytes;
    return call(fd(), KVM_IOEVENTFD, &request);
}

int Vm::remove_ioeventfd(int event_fd, uint64_t address, uint32_t bytes) {
    kvm_ioeventfd request{};
    request.fd = event_fd;
    request.addr = address;
    request.len = bytes;
    request.flags = KVM_IOEVENTFD_FLAG_DEASSIGN;
    return call(fd(), KVM_IOEVENTFD, &request);
}

int Vm::set_routing(const std::vector<kvm_irq_routing_entry>& entries) {
    std::vector<std::byte> raw(sizeof(kvm_irq_routing) + entries.size() * sizeof(kvm_irq_routing_entry));
    auto* routing = reinterpret_cast<kvm_irq_routing*>(raw.data());
    routing->nr = static_cast<uint32_t>(entries.size());
    std::memcpy(routing->entries, entries.data(), entries.size() * sizeof(kvm_irq_routing_entry));
    return call(fd(), KVM_SET_GSI_ROUTING, routing);
}

}  // namespace farcall::vmm
