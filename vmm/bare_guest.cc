// SPDX-License-Identifier: MIT
#include "vmm/bare_guest.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string>

#include "host-lib/error.h"
#include "vmm/kvm_api.h"

namespace farcall::vmm {
namespace {

// Guest-physical layout below kPayloadAddress.
constexpr uint64_t kGdt = 0x1000;
constexpr uint64_t kTss = 0x2000;  // to 0x4068, with the I/O bitmap
constexpr uint64_t kIoBitmap =
    0x68;  // offset in the TSS; all ports are allowed (zeros), one byte of ones ends it
constexpr uint64_t kIoBitmapBytes = 0x2000;
constexpr uint64_t kPml4 = 0x10000;
constexpr uint64_t kPdpt = 0x11000;
constexpr uint64_t kPdLow = 0x12000;   // first GiB: memory
constexpr uint64_t kPdMmio = 0x13000;  // fourth GiB: doorbell and exit page
constexpr uint64_t kStackBytes = 0x10000;
constexpr uint64_t kHugePage = 2ull << 20;
constexpr uint64_t kGiB = 1ull << 30;

// Accessed and dirty are set beforehand: no walk ever has to write to a table.
constexpr uint64_t kTable = 0x27;     // present, writable, user, accessed
constexpr uint64_t kHugeLeaf = 0xe7;  // the same, dirty, page size

constexpr uint16_t kCodeSelector = 0x08 | 3;
constexpr uint16_t kDataSelector = 0x10 | 3;
constexpr uint16_t kTssSelector = 0x18;

struct Capability {
    int number;
    const char* name;
};
constexpr Capability kCapabilities[] = {
    {KVM_CAP_USER_MEMORY, "KVM_CAP_USER_MEMORY"},
    {KVM_CAP_EXT_CPUID, "KVM_CAP_EXT_CPUID"},
    {KVM_CAP_IOEVENTFD, "KVM_CAP_IOEVENTFD"},
};

UniqueFd open_kvm() {
    UniqueFd kvm(::open("/dev/kvm", O_RDWR | O_CLOEXEC));
    if (!kvm && errno == ENOENT)
        throw Error("the bare guest needs KVM, and there is no /dev/kvm on this machine");
    if (!kvm && (errno == EACCES || errno == EPERM))
        throw Error("no permission to open /dev/kvm: join the group that owns it, or run as root");
    if (!kvm) throw errno_error("cannot open /dev/kvm");
    if (ioctl(kvm.get(), KVM_GET_API_VERSION, 0) != KVM_API_VERSION)
        throw Error("/dev/kvm speaks another version of KVM's interface than 12");
    for (const Capability& capability : kCapabilities)
        if (ioctl(kvm.get(), KVM_CHECK_EXTENSION, capability.number) <= 0)
            throw Error(std::string("this machine's KVM lacks ") + capability.name);
    return kvm;
}

kvm_segment flat_segment(uint16_t selector, uint8_t type) {
    kvm_segment segment{};
    segment.selector = selector;
    segment.limit = 0xffffffff;
    segment.type = type;
    segment.present = 1;
    segment.dpl = 3;
    segment.s = 1;
    segment.g = 1;
    return segment;
}

/// Straight into 64-bit user mode: CPL is what SS says, so no instruction of kernel mode ever runs.
void fill_sregs(kvm_sregs& sregs) {
    sregs.cs = flat_segment(kCodeSelector, 0xb);  // code, readable, accessed
    sregs.cs.l = 1;
    kvm_segment data = flat_segment(kDataSelector, 0x3);  // data, writable, accessed
    data.db = 1;
    sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = data;
    sregs.tr = {};
    sregs.tr.base = kTss;
    sregs.tr.limit = kIoBitmap + kIoBitmapBytes;
    sregs.tr.selector = kTssSelector;
    sregs.tr.type = 0xb;  // busy 64-bit TSS, as VMX demands
    sregs.tr.present = 1;
    sregs.ldt = {};
    sregs.ldt.unusable = 1;
    sregs.gdt.base = kGdt;
    sregs.gdt.limit = 0x2f;
    sregs.idt.base = 0;
    sregs.idt.limit = 0;  // no handlers: an exception shuts the guest down, and run() reports it
    sregs.cr3 = kPml4;
    sregs.cr4 = 0x620;       // PAE, OSFXSR, OSXMMEXCPT
    sregs.cr0 = 0x80000033;  // PG, NE, ET, MP, PE
    sregs.efer = 0x500;      // LME, LMA
}

const char* exit_name(uint32_t reason) {
    switch (reason) {
        case KVM_EXIT_SHUTDOWN:
            return "its program faulted";
        case KVM_EXIT_FAIL_ENTRY:
            return "KVM refused the vCPU's state";
        case KVM_EXIT_INTERNAL_ERROR:
            return "KVM met an instruction that it cannot emulate";
        case KVM_EXIT_MMIO:
            return "its program touched an address without memory";
        default:
            return "an exit that it must not make";
    }
}

}  // namespace

BareGuest::Mapping::~Mapping() {
    if (data != nullptr) munmap(data, bytes);
}

BareGuest::BareGuest(std::span<const std::byte> image, uint64_t memory_bytes, uint64_t argument)
    : kvm_(open_kvm()) {
    if (memory_bytes % kHugePage != 0 || memory_bytes <= kDataAddress || memory_bytes > kGiB)
        throw Error("a bare guest's memory must be a multiple of 2 MiB, up to 1 GiB");
    if (image.empty() || image.size() > kStackTop - kPayloadAddress - kStackBytes)
        throw Error("a bare guest's program does not fit below its stack");
    vm_.reset(ioctl(kvm_.get(), KVM_CREATE_VM, 0));
    if (!vm_) throw errno_error("cannot create a virtual machine");
    map_memory(memory_bytes);
    build_page_tables();
    std::memcpy(memory() + kPayloadAddress, image.data(), image.size());
    create_vcpu();
    set_cpuid();
    set_registers(argument);
}

void BareGuest::map_memory(uint64_t bytes) {
    void* data =
        mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (data == MAP_FAILED) throw errno_error("cannot allocate guest memory");
    memory_.data = data;
    memory_.bytes = bytes;
    kvm_userspace_memory_region region{};
    region.memory_size = bytes;
    region.userspace_addr = reinterpret_cast<uint64_t>(data);
    if (ioctl(vm_.get(), KVM_SET_USER_MEMORY_REGION, &region) < 0)
        throw errno_error("cannot give the guest its memory");
}

void BareGuest::create_vcpu() {
    vcpu_.reset(ioctl(vm_.get(), KVM_CREATE_VCPU, 0));
    if (!vcpu_) throw errno_error("cannot create a vCPU");
    const int bytes = ioctl(kvm_.get(), KVM_GET_VCPU_MMAP_SIZE, 0);
    if (bytes < 0) throw errno_error("cannot ask for the size of a vCPU's state");
    void* data =
        mmap(nullptr, static_cast<size_t>(bytes), PROT_READ | PROT_WRITE, MAP_SHARED, vcpu_.get(), 0);
    if (data == MAP_FAILED) throw errno_error("cannot map a vCPU's state");
    run_mapping_.data = data;
    run_mapping_.bytes = static_cast<size_t>(bytes);
    run_ = static_cast<kvm_run*>(data);
}

void BareGuest::build_page_tables() {
    auto entry = [&](uint64_t table, uint64_t index) -> uint64_t& {
        return *reinterpret_cast<uint64_t*>(memory() + table + index * 8);
    };
    entry(kPml4, 0) = kPdpt | kTable;
    entry(kPdpt, 0) = kPdLow | kTable;
    entry(kPdpt, kDoorbellAddress / kGiB) = kPdMmio | kTable;
    for (uint64_t address = 0; address < memory_bytes(); address += kHugePage)
        entry(kPdLow, address / kHugePage) = address | kHugeLeaf;
    entry(kPdMmio, kDoorbellAddress % kGiB / kHugePage) = kDoorbellAddress | kHugeLeaf;
    entry(kGdt, 1) = 0x00affb000000ffff;  // 64-bit code, DPL 3
    entry(kGdt, 2) = 0x00cff3000000ffff;  // data, DPL 3
    entry(kGdt, 3) = 0x00008b0000000000 | kTss << 16 | (kIoBitmap + kIoBitmapBytes);
    // Port I/O from user mode by the TSS's bitmap: IOPL 3 in the flags does not survive on software KVM.
    *reinterpret_cast<uint16_t*>(memory() + kTss + 0x66) = kIoBitmap;
    memory()[kTss + kIoBitmap + kIoBitmapBytes] = std::byte{0xff};
}

void BareGuest::set_cpuid() {
    constexpr uint32_t kMaxEntries = 256;
    const size_t bytes = sizeof(kvm_cpuid2) + kMaxEntries * sizeof(kvm_cpuid_entry2);
    auto buffer = std::make_unique<uint64_t[]>(bytes / sizeof(uint64_t) + 1);
    auto* cpuid = reinterpret_cast<kvm_cpuid2*>(buffer.get());
    cpuid->nent = kMaxEntries;
    if (ioctl(kvm_.get(), KVM_GET_SUPPORTED_CPUID, cpuid) < 0)
        throw errno_error("cannot ask KVM for its CPU features");
    if (ioctl(vcpu_.get(), KVM_SET_CPUID2, cpuid) < 0) throw errno_error("cannot set the vCPU's features");
}

void BareGuest::set_registers(uint64_t argument) {
    kvm_sregs sregs;
    if (ioctl(vcpu_.get(), KVM_GET_SREGS, &sregs) < 0)
        throw errno_error("cannot read the vCPU's system registers");
    fill_sregs(sregs);
    if (ioctl(vcpu_.get(), KVM_SET_SREGS, &sregs) < 0)
        throw errno_error("cannot set the vCPU's system registers");
    kvm_regs regs{};
    regs.rip = kPayloadAddress;
    regs.rsp = kStackTop;
    regs.rdi = argument;
    regs.rflags = 0x2;
    if (ioctl(vcpu_.get(), KVM_SET_REGS, &regs) < 0) throw errno_error("cannot set the vCPU's registers");
}

void BareGuest::set_doorbell(int eventfd) {
    kvm_ioeventfd doorbell{};
    doorbell.addr = kDoorbellAddress;
    doorbell.len = 4;
    if (doorbell_ >= 0) {
        doorbell.fd = doorbell_;
        doorbell.flags = KVM_IOEVENTFD_FLAG_DEASSIGN;
        if (ioctl(vm_.get(), KVM_IOEVENTFD, &doorbell) < 0) throw errno_error("cannot remove the doorbell");
        doorbell_ = -1;
    }
    if (eventfd < 0) return;
    doorbell.fd = eventfd;
    doorbell.flags = 0;
    if (ioctl(vm_.get(), KVM_IOEVENTFD, &doorbell) < 0) throw errno_error("cannot install the doorbell");
    doorbell_ = eventfd;
}

/// True when the program is done. An exit that means nothing returns false.
bool BareGuest::handle_io(uint32_t& value) const {
    if (run_->io.direction != KVM_EXIT_IO_OUT || run_->io.size != 4)
        throw Error("the bare guest used a port that it must not");
    if (run_->io.port == kPortExit) return false;
    if (run_->io.port != kPortDone)
        throw Error("the bare guest wrote to unknown port " + std::to_string(run_->io.port));
    std::memcpy(&value, reinterpret_cast<const std::byte*>(run_) + run_->io.data_offset, sizeof(value));
    return true;
}

uint32_t BareGuest::run() {
    for (;;) {
        if (ioctl(vcpu_.get(), KVM_RUN, 0) < 0) {
            if (errno == EINTR || errno == EAGAIN) continue;
            throw errno_error("cannot run the bare guest");
        }
        exits_++;
        uint32_t value = 0;
        if (run_->exit_reason == KVM_EXIT_IO) {
            if (handle_io(value)) return value;
        } else if (run_->exit_reason != KVM_EXIT_MMIO || run_->mmio.phys_addr != kExitAddress) {
            throw Error(std::string("the bare guest stopped: ") + exit_name(run_->exit_reason));
        }
    }
}

}  // namespace farcall::vmm
