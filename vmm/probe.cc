// SPDX-License-Identifier: MIT
#include "vmm/probe.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <initializer_list>
#include <span>

#include "host-lib/error.h"
#include "vmm/kvm.h"

namespace farcall::vmm {

namespace {

// The layout of the tiny machine. One page table maps the first GiB for user and kernel alike.
constexpr uint64_t kMemory = 1 << 16;
constexpr uint64_t kPml4 = 0x1000, kPdpt = 0x2000, kDirectory = 0x3000;
constexpr uint64_t kGdt = 0x4000, kIdt = 0x5000, kCode = 0x6000, kData = 0x8000, kStack = 0xf000;
constexpr uint32_t kReport = 0x10000000;  // no memory there: a store exits to us

constexpr uint16_t kKernelCode = 0x08, kKernelData = 0x10, kUserCode = 0x1b, kUserData = 0x23;

// mov [kReport], eax; hlt
constexpr std::initializer_list<uint8_t> kReportCode = {0x89, 0x04, 0x25, 0x00, 0x00, 0x00, 0x10, 0xf4};

// Slower than this is emulation, not execution; the nested rig's TCG takes about 2. Nanoseconds.
constexpr double kSlowInstruction = 200;

struct Test {
    const char* name;
    std::initializer_list<uint8_t> code;  // rdi points to zeros, aligned to 64; may clobber all else
};
// What stops an ordinary kernel on a KVM that emulates kernel mode, in the order in which it would meet them.
const std::initializer_list<Test> kTests = {
    {"cmpxchg16b", {0xf0, 0x48, 0x0f, 0xc7, 0x0f}},
    {"SSE", {0x0f, 0x10, 0x07}},                        // movups (%rdi), %xmm0
    {"fxrstor", {0x0f, 0xae, 0x07, 0x0f, 0xae, 0x0f}},  // fxsave, fxrstor (%rdi)
    {"int3", {0xcc}},                                   // its handler reports
};

class TinyMachine {
  public:
    explicit TinyMachine(const Kvm& kvm) : kvm_(kvm), vm_(kvm) {
        void* memory = ::mmap(nullptr, kMemory, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) throw errno_error("cannot map memory for a probe");
        memory_ = static_cast<uint8_t*>(memory);
        build_tables();
        vm_.add_memory(0, 0, kMemory, memory_);
        cpuid_ = kvm.supported_cpuid();
    }
    ~TinyMachine() { ::munmap(memory_, kMemory); }
    TinyMachine(const TinyMachine&) = delete;
    TinyMachine& operator=(const TinyMachine&) = delete;

    /// Runs `code` and then the report on a fresh CPU; the time that took, or a negative number when it
    /// failed.
    double run(std::span<const uint8_t> code, bool user, uint64_t rcx) {
        std::memset(memory_ + kCode, 0xf4, kStack - kCode);
        std::memset(memory_ + kData, 0, 0x1000);
        std::memcpy(memory_ + kCode, code.data(), code.size());
        std::copy(kReportCode.begin(), kReportCode.end(), memory_ + kCode + code.size());
        std::copy(kReportCode.begin(), kReportCode.end(), memory_ + kHandler);
        const UniqueFd vcpu = vm_.create_vcpu(next_vcpu_++);
        set_registers(vcpu.get(), user, rcx);
        void* mapped = ::mmap(nullptr, kvm_.run_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED, vcpu.get(), 0);
        if (mapped == MAP_FAILED) throw errno_error("cannot map a virtual CPU's state");
        const auto begun = std::chrono::steady_clock::now();
        int result;
        do {
            result = ::ioctl(vcpu.get(), KVM_RUN, 0);
        } while (result < 0 && errno == EINTR);
        const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - begun;
        const auto* run = static_cast<const kvm_run*>(mapped);
        const bool reported =
            result == 0 && run->exit_reason == KVM_EXIT_MMIO && run->mmio.phys_addr == kReport;
        ::munmap(mapped, kvm_.run_bytes());
        return reported ? took.count() : -1;
    }

  private:
    static constexpr uint64_t kHandler = kCode + 0x800;

    void put(uint64_t address, uint64_t value) { std::memcpy(memory_ + address, &value, sizeof value); }

    void build_tables() {
        constexpr uint64_t kUserWritable = 0x7, kLarge = 0x80, kTwoMiB = 2 << 20;
        put(kPml4, kPdpt | kUserWritable);
        put(kPdpt, kDirectory | kUserWritable);
        for (uint64_t i = 0; i < 512; i++)
            put(kDirectory + 8 * i, i * kTwoMiB | kUserWritable | kLarge);
        put(kGdt + 8, 0x00af9b000000ffff);
        put(kGdt + 16, 0x00cf93000000ffff);
        put(kGdt + 24, 0x00affb000000ffff);
        put(kGdt + 32, 0x00cff3000000ffff);
        constexpr uint64_t kGate = 0x8e00;  // present, interrupt gate
        put(kIdt + 3 * 16, (kHandler & 0xffff) | static_cast<uint64_t>(kKernelCode) << 16 | kGate << 32);
    }

    static kvm_segment segment(uint16_t selector, uint8_t type, bool code) {
        kvm_segment out{};
        out.limit = 0xffffffff;
        out.selector = selector;
        out.type = type;
        out.present = 1;
        out.dpl = selector & 3;
        out.s = 1;
        out.l = code ? 1 : 0;
        out.db = code ? 0 : 1;
        out.g = 1;
        return out;
    }

    void set_registers(int vcpu, bool user, uint64_t rcx) {
        std::vector<std::byte> raw(sizeof(kvm_cpuid2) + cpuid_.size() * sizeof(kvm_cpuid_entry2));
        auto* cpuid = reinterpret_cast<kvm_cpuid2*>(raw.data());
        cpuid->nent = static_cast<uint32_t>(cpuid_.size());
        std::memcpy(cpuid->entries, cpuid_.data(), cpuid_.size() * sizeof(kvm_cpuid_entry2));
        kvm_sregs special{};
        if (::ioctl(vcpu, KVM_SET_CPUID2, cpuid) < 0 || ::ioctl(vcpu, KVM_GET_SREGS, &special) < 0) {
            throw errno_error("cannot set up a virtual CPU");
        }
        special.cs = segment(user ? kUserCode : kKernelCode, 0xb, true);
        special.ss = special.ds = special.es = segment(user ? kUserData : kKernelData, 0x3, false);
        special.gdt.base = kGdt;
        special.gdt.limit = 5 * 8 - 1;
        special.idt.base = kIdt;
        special.idt.limit = 4 * 16 - 1;
        special.cr0 = 0x80000013;  // PG, ET, MP, PE
        special.cr3 = kPml4;
        special.cr4 = 0x620;   // OSXMMEXCPT, OSFXSR, PAE
        special.efer = 0x500;  // LMA, LME
        kvm_regs general{};
        general.rip = kCode;
        general.rsp = kStack;
        general.rflags = 2;
        general.rdi = kData;
        general.rcx = rcx;
        if (::ioctl(vcpu, KVM_SET_SREGS, &special) < 0 || ::ioctl(vcpu, KVM_SET_REGS, &general) < 0) {
            throw errno_error("cannot set up a virtual CPU");
        }
    }

    const Kvm& kvm_;
    Vm vm_;
    uint8_t* memory_ = nullptr;
    std::vector<kvm_cpuid_entry2> cpuid_;
    unsigned next_vcpu_ = 0;
};

// The shortest of a few runs of a loop of `turns` times two instructions: others may have the core now and
// then.
double shortest(TinyMachine& machine, bool user, uint64_t turns) {
    constexpr std::array<uint8_t, 4> kLoop = {0xff, 0xc9, 0x75, 0xfc};  // dec %ecx; jnz
    double best = -1;
    for (int i = 0; i < 3; i++) {
        const double took = machine.run(kLoop, user, turns);
        if (took < 0) return took;
        if (best < 0 || took < best) best = took;
    }
    return best;
}

// Nanoseconds of one instruction; negative when it failed. A short loop is enough for emulation at a
// microsecond each, a long one drowns the cost of the exit where it is native. What looks slow is measured
// again: the machine may be busy.
double measure(TinyMachine& machine, bool user) {
    constexpr uint64_t kShort = 1000, kMiddle = 20'000, kLong = 1'000'000;
    const double empty = shortest(machine, user, 1);
    double cost = 0;
    for (const uint64_t turns : {kShort, kMiddle, kLong}) {
        const double took = shortest(machine, user, turns);
        if (empty < 0 || took < 0) return -1;
        cost = std::max(0.01, (took - empty) / (2.0 * static_cast<double>(turns)));
        if (turns >= kMiddle && cost > kSlowInstruction) break;
    }
    return cost;
}

}  // namespace

bool KvmProbe::runs_guest_kernels() const {
    return usable() && refused.empty() && kernel_ns > 0 && kernel_ns < kSlowInstruction;
}

KvmProbe probe_kvm() {
    KvmProbe probe;
    try {
        const Kvm kvm;
        kvm.require_all();
        TinyMachine machine(kvm);
        probe.user_ns = measure(machine, true);
        probe.kernel_ns = measure(machine, false);
        for (const Test& test : kTests) {
            if (machine.run({test.code.begin(), test.code.size()}, false, 0) < 0)
                probe.refused.emplace_back(test.name);
        }
    } catch (const Error& error) {
        probe.problem = error.what();
    }
    return probe;
}

void require_guest_kernels() {
    constexpr const char* kWayOut =
        "use the nested rig: scripts/rig.sh -- build/farcall run … (see farcall doctor)";
    const KvmProbe probe = probe_kvm();
    if (!probe.usable()) throw Error(fmt::format("{}; {}", probe.problem, kWayOut));
    if (probe.runs_guest_kernels()) return;
    const std::string what =
        probe.refused.empty()
            ? fmt::format("takes {:.0f} ns for one instruction of a guest kernel", probe.kernel_ns)
            : fmt::format("cannot run {} in a guest kernel", fmt::join(probe.refused, ", "));
    throw Error(fmt::format("this machine's KVM {}; {}", what, kWayOut));
}

}  // namespace farcall::vmm
