// SPDX-License-Identifier: MIT
#include "vmm/session.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include <farcall/init.h>

#include "host-lib/error.h"
#include "vmm/net_option.h"
#include "vmm/sandbox.h"

namespace farcall::vmm {

namespace {

sigset_t handled_signals() {
    sigset_t set;
    ::sigemptyset(&set);
    for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH})
        ::sigaddset(&set, number);
    return set;
}

/// Detached commands keep a CLIENT_DESTROY open, and a guest's module has room for few of those at a time
/// (guest-kmod/control.c): processes that leave some behind must not keep other processes' memory pinned.
constexpr uint32_t kMaxDetachedClients = FC_CONTROL_SLOTS / 4;

int open_or_none(int fd) {
    return ::fcntl(fd, F_GETFD) < 0 ? -1 : fd;
}

UniqueFd make_timer(std::chrono::nanoseconds timeout) {
    if (timeout.count() == 0) return {};
    UniqueFd timer(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));
    itimerspec when{};
    when.it_value.tv_sec = timeout.count() / 1'000'000'000;
    when.it_value.tv_nsec = timeout.count() % 1'000'000'000;
    if (!timer || ::timerfd_settime(timer.get(), 0, &when, nullptr) < 0)
        throw errno_error("cannot set a timer");
    return timer;
}

// The engine opens the directories itself, later.
void check_shares(const std::vector<ShareConfig>& shares) {
    for (const ShareConfig& share : shares) {
        if (share.file >= 0) continue;
        const UniqueFd directory(::open(share.path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
        if (!directory) throw errno_error(fmt::format("--share: cannot share '{}'", share.path));
    }
}

}  // namespace

PreparedGuest prepare_guest(const SessionConfig& config) {
    check_shares(config.shares);
    PreparedGuest guest;
    guest.ram = std::make_unique<GuestRam>(config.memory_bytes, config.backing);
    const GuestRam& ram = *guest.ram;
    guest.kernel = load_kernel(InputFile(config.files.kernel, "kernel"), ram);
    const Initramfs image = make_guest_image(config.files, config.command);
    const InitrdPlace initrd = place_initrd(guest.kernel, ram, image.bytes());
    image.write(ram.at(initrd.address, initrd.bytes, "initial RAM disk"));
    write_boot_information(guest.kernel, ram, initrd, config.command_line);
    if (!config.kernel_log.empty()) {
        guest.log.reset(::open(config.kernel_log.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
        if (!guest.log) throw errno_error(fmt::format("cannot write the kernel log '{}'", config.kernel_log));
    }
    return guest;
}

void Session::block_signals() {
    const sigset_t set = handled_signals();
    ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
    // A reader of our output that goes away is an error of a write, not our end.
    ::signal(SIGPIPE, SIG_IGN);
}

Session::Session(const Kvm& kvm, const SessionConfig& config, PreparedGuest guest)
    : log_(std::move(guest.log)),
      timer_(make_timer(config.timeout)),
      on_terminal_(config.command.terminal.has_value()),
      sandbox_(config.sandbox),
      network_(!config.net.empty()),
      machine_(kvm, config.machine, std::move(guest.ram)) {
    std::array<int, 2> pipe{};
    if (::pipe2(pipe.data(), O_CLOEXEC) < 0) throw errno_error("cannot create a pipe");
    control_read_.reset(pipe[0]);
    control_write_.reset(pipe[1]);
    // The guest may never read: then records are lost, and we do not block.
    ::fcntl(control_write_.get(), F_SETFL, O_NONBLOCK);
    const sigset_t set = handled_signals();
    signals_.reset(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!signals_) throw errno_error("cannot create a signalfd");
    machine_.boot(guest.kernel);
    // Files have been read as whoever started us; the engine's threads do not exist yet.
    if (sandbox_) drop_privileges(!config.shares.empty(), needs_low_ports(config.net));
    make_engine(config);
    // Our own files are made: from now on modes are the guest's business.
    ::umask(0);
}

Session::~Session() {
    raw_.reset();
    // In this order nothing is used after its end: vCPUs post to the device, the engine's threads answer
    // through it.
    machine_.stop();
    stats_.reset();
    domain_.reset();
    engine_.reset();
    device_.reset();
}

void Session::make_engine(const SessionConfig& config) {
    engine_ = std::make_unique<Engine>(config.engine);
    if (!config.control.empty()) stats_.emplace(*engine_, config.control);
    DomainConfig domain;
    domain.name = "guest";
    domain.shares = config.shares;
    domain.limits = config.limits;
    domain.limits.max_detached_clients = std::min(domain.limits.max_detached_clients, kMaxDetachedClients);
    domain.net = config.net;
    domain.streams.in = open_or_none(STDIN_FILENO);
    domain.streams.out = open_or_none(STDOUT_FILENO);
    domain.streams.err = open_or_none(STDERR_FILENO);
    domain.streams.control = control_read_.get();
    domain.streams.log = log_.get();
    domain_ = engine_->create_domain(std::move(domain));
    std::vector<int> doorbell_fds;
    for (unsigned i = 0; i < engine_->worker_count(); i++)
        doorbell_fds.push_back(engine_->doorbell_fd(i));
    doorbells_.emplace(machine_.vm(), std::move(doorbell_fds));
    device_.emplace(OffloadDevice::Parts{machine_.ram().memory(), *engine_, *domain_, machine_.interrupts(),
                                         *doorbells_, machine_.stop_event(),
                                         [this] { return machine_.exits(); }});
    machine_.pci().add(*device_);
}

Stop Session::run() {
    if (on_terminal_) raw_.emplace();
    machine_.prepare();
    if (sandbox_) restrict_system_calls(network_);
    machine_.start();
    wait_for_end();
    machine_.stop();
    raw_.reset();
    return machine_.stop_event().get();
}

void Session::wait_for_end() {
    std::array<pollfd, 3> items = {pollfd{machine_.stop_event().fd(), POLLIN, 0},
                                   pollfd{signals_.get(), POLLIN, 0}, pollfd{timer_.get(), POLLIN, 0}};
    while (!machine_.stop_event().requested()) {
        if (::poll(items.data(), items.size(), -1) < 0 && errno != EINTR)
            throw errno_error("cannot wait for the guest");
        if ((items[1].revents & POLLIN) != 0) take_signal();
        if ((items[2].revents & POLLIN) != 0) machine_.stop_event().request(StopReason::kTimeout);
    }
}

// The first signal that asks for an end is the command's to answer; the second one ends the VM.
void Session::take_signal() {
    signalfd_siginfo info{};
    if (::read(signals_.get(), &info, sizeof info) != sizeof info) return;
    const auto number = info.ssi_signo;
    if (number == SIGWINCH) {
        const auto size = terminal_size(STDIN_FILENO);
        if (on_terminal_ && size) send_record(FC_INIT_WINDOW, size->rows, size->columns);
        return;
    }
    send_record(FC_INIT_SIGNAL, number, 0);
    if (asked_to_end_) machine_.stop_event().request(StopReason::kSignal, static_cast<int>(number));
    asked_to_end_ = true;
}

void Session::send_record(uint32_t type, uint32_t a, uint32_t b) {
    const fc_init_record record{type, a, b, 0};
    [[maybe_unused]] const ssize_t written = ::write(control_write_.get(), &record, sizeof record);
}

}  // namespace farcall::vmm
