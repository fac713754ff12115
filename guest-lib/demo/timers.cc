// SPDX-License-Identifier: MIT
// Deadlines, cancellation and periodic timers.
#include <cerrno>
#include <cinttypes>
#include <cstdio>

#include "guest-lib/demo/requests.h"

namespace farcall::demo {

namespace {

constexpr uint64_t kMs = 1'000'000, kHour = 3'600'000 * kMs;

fc_command timer(uint64_t ns) {
    fc_command command;
    farcall_prep_timer(&command, ns, 0);
    return command;
}

fc_command nop_after(uint64_t id) {
    fc_command command;
    farcall_prep_nop(&command, 1);
    farcall_after(&command, id);
    return command;
}

void deadlines(Requests& requests) {
    fc_command command = timer(kHour);
    farcall_set_deadline(&command, 5000);
    const uint64_t late = requests.post(command);
    const uint64_t after = requests.post(nop_after(late));
    expect("a deadline", requests.result(late), -ETIMEDOUT);
    expect("what waits for it", requests.result(after), -ECANCELED);

    // Of a chain: its first command is over in time, what waits for something else as well is not. The first
    // comes last: who joins the chain after its deadline, because this process was held up, would be free of
    // it.
    fc_command wait;
    const uint64_t user = requests.fresh_id(), first = requests.fresh_id();
    farcall_prep_event_wait(&wait, user);
    requests.post(wait);
    const client::Buffer list(requests.client(), 2 * sizeof(uint64_t));
    auto* ids = reinterpret_cast<uint64_t*>(list.data());
    ids[0] = first, ids[1] = user;
    farcall_prep_nop(&command, 1);
    farcall_after_list(&command, ids, list.offset(), 2);
    const uint64_t second = requests.post(command);
    command = nop_after(second);
    farcall_add_flags(&command, FC_F_ALWAYS);
    const uint64_t clean_up = requests.post(command);
    farcall_prep_nop(&command, 1);
    farcall_set_id(&command, first);
    farcall_set_chain_deadline(&command, 20'000);
    requests.post(command);
    expect("the chain's first", requests.result(first), 1);
    expect("the chain's second", requests.result(second), -ETIMEDOUT);
    expect("its clean-up", requests.result(clean_up), 1);
    farcall_prep_event_set(&command, user, 9);
    expect("event_set", requests.run(command), 0);
    expect("a user event", requests.result(user), 9);
}

void cancels(Requests& requests) {
    fc_command command;
    const uint64_t one = requests.post(timer(kHour));
    const uint64_t behind = requests.post(nop_after(one));
    farcall_prep_cancel(&command, one);
    expect("cancel", requests.run(command), 0);
    expect("what was cancelled", requests.result(one), -ECANCELED);
    expect("what waited for it", requests.result(behind), -ECANCELED);
    expect("a second cancel", requests.run(command), -ENOENT);
    // By a handle, whether that is open or not.
    const uint64_t gate = requests.post(timer(kHour));
    farcall_prep_close(&command, 0x7ffffff0);
    farcall_after(&command, gate);
    const uint64_t named = requests.post(command);
    farcall_prep_cancel_handle(&command, 0x7ffffff0);
    expect("cancel by handle", requests.run(command), 1);
    expect("what names it", requests.result(named), -ECANCELED);
    for (int i = 0; i < 10; i++)
        requests.post(timer(kHour));
    farcall_prep_cancel_all(&command);
    expect("cancel of all", requests.run(command), 11);
    expect("the timer that was left", requests.result(gate), -ECANCELED);
    for (int i = 0; i < 10; i++)
        expect("one of all", requests.next().result, -ECANCELED);
}

/// The periods in all shots together are those that have passed, also while nobody looked.
void periodic(Requests& requests) {
    fc_command command;
    farcall_prep_timer_periodic(&command, kMs, 2 * kMs, 0);
    const uint64_t ticks = requests.post(command);
    int64_t periods = 0;
    unsigned shots = 0;
    for (; shots < 5; shots++) {
        const fc_event shot = requests.next(ticks);
        expect("a shot's flags", shot.flags & FC_E_MORE, FC_E_MORE);
        periods += handle_of("a shot", shot.result);
    }
    requests.sleep(100 * kMs);
    farcall_prep_cancel(&command, ticks);
    const uint64_t cancel = requests.post(command);
    for (;;) {
        const fc_event event = requests.next(ticks);
        if ((event.flags & FC_E_MORE) == 0) {
            expect("the end of a periodic timer", event.result, -ECANCELED);
            break;
        }
        periods += handle_of("a shot", event.result);
        shots++;
    }
    expect("its cancel", requests.result(cancel), 0);
    if (periods < 50) throw Failure("periods were lost: " + std::to_string(periods) + " in more than 100 ms");
    std::printf("periodic timer: %" PRId64 " periods in %u shots\n", periods, shots);
}

void any_of(Requests& requests) {
    const client::Buffer list(requests.client(), 2 * sizeof(uint64_t));
    auto* ids = reinterpret_cast<uint64_t*>(list.data());
    ids[0] = requests.post(timer(kHour));
    ids[1] = requests.post(timer(kMs));
    fc_command command;
    farcall_prep_nop(&command, 7);
    farcall_after_list(&command, ids, list.offset(), 2);
    farcall_add_flags(&command, FC_F_WAIT_ANY);
    expect("any of two", requests.run(command), 7);
    farcall_prep_cancel(&command, ids[0]);
    expect("cancel of the other", requests.run(command), 0);
}

}  // namespace

int timers(Arguments& arguments) {
    arguments.rest(0, 0, "timers");
    client::Client client;
    Requests requests(client);
    deadlines(requests);
    cancels(requests);
    periodic(requests);
    any_of(requests);
    std::printf("deadlines, cancels and timers are as documented\n");
    return 0;
}

}  // namespace farcall::demo
