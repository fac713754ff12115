// SPDX-License-Identifier: MIT
#include "vmm/machine.h"

#include <fmt/format.h>

#include "host-lib/error.h"
#include "vmm/acpi.h"
#include "vmm/cpu_setup.h"
#include "vmm/layout.h"

namespace farcall::vmm {

namespace {

// The order in which KVM wants things: memory and interrupt controllers before the first vCPU and route.
std::unique_ptr<KvmInterrupts> make_interrupts(Vm& vm, const GuestRam& ram) {
    vm.create_interrupt_controllers();
    ram.attach(vm);
    return std::make_unique<KvmInterrupts>(vm);
}

}  // namespace

Machine::Machine(const Kvm& kvm, const MachineConfig& config, std::unique_ptr<GuestRam> ram)
    : config_(config),
      ram_(std::move(ram)),
      vm_(kvm),
      console_(config.console_fd),
      interrupts_holder_(make_interrupts(vm_, *ram_)),
      interrupts_(*interrupts_holder_),
      serial_(console_, [this] { interrupts_.raise_com1(); }),
      bus_(pci_, serial_, stop_),
      ready_(config.cpus) {
    const auto limit =
        std::min<unsigned>(layout::kMaxCpus, static_cast<unsigned>(kvm.extension(KVM_CAP_MAX_VCPUS)));
    if (config.cpus < 1 || config.cpus > limit) {
        throw Error(fmt::format("{} virtual CPUs are not possible here: 1 to {} are", config.cpus, limit));
    }
    pci_.add(bridge_);
    const auto supported = kvm.supported_cpuid();
    const bool tsc_deadline = kvm.extension(KVM_CAP_TSC_DEADLINE_TIMER) != 0;
    for (unsigned i = 0; i < config.cpus; i++) {
        vcpus_.push_back(std::make_unique<Vcpu>(kvm, vm_, i));
        set_up_vcpu(vcpus_.back()->fd(), make_cpuid(supported, i, config.cpus, tsc_deadline));
    }
    install_kick_signal();
}

Machine::~Machine() {
    stop();
}

void Machine::boot(const LoadedKernel& kernel) {
    write_boot_tables(*ram_);
    const auto acpi = make_acpi_tables(config_.cpus);
    if (acpi.size() > layout::kAcpiTablesEnd - layout::kAcpiTables)
        throw Error("too many virtual CPUs for the tables");
    ram_->write(layout::kAcpiTables, acpi.data(), acpi.size(), "ACPI tables");
    set_boot_registers(vcpus_.front()->fd(), kernel);
}

void Machine::prepare() {
    for (const auto& vcpu : vcpus_)
        vcpu->start(bus_, stop_, config_.vcpu_cores, ready_, go_);
    ready_.wait();
}

void Machine::start() {
    if (!going_) go_.count_down();
    going_ = true;
}

void Machine::stop() {
    for (const auto& vcpu : vcpus_)
        vcpu->kick();
    start();
    past_exits_ = exits();
    vcpus_.clear();
}

uint64_t Machine::exits() const {
    uint64_t sum = past_exits_;
    for (const auto& vcpu : vcpus_)
        sum += vcpu->exits();
    return sum;
}

}  // namespace farcall::vmm
