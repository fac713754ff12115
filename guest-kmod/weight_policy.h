/* SPDX-License-Identifier: GPL-2.0-only */
/* Weighting policies, their limits, and how many threads each user may have weighted. */
#ifndef FARCALL_WEIGHT_POLICY_H
#define FARCALL_WEIGHT_POLICY_H

#include <linux/types.h>
#include <linux/uidgid.h>

struct fc_device;
struct fc_user;

/*
 * What a thread of this srt_base and srt_priority is given: a weight of 0 leaves it alone, a slice
 * of 0 the scheduler's. urgent: who sleeps for an event also gets a rank, as long as it has credit
 * (fc_urgent_rank()).
 */
struct fc_policy {
	const char *name;
	u32 (*weight)(u32 base, u32 priority);
	u32 (*slice_us)(u32 weight, u32 priority);
	bool urgent;
};

const struct fc_policy *fc_policy_now(void);
bool fc_weight_enabled(void);
u32 fc_base_now(const struct fc_device *dev);
u32 fc_urgent_percent(void); /* of one CPU, for all that are urgent together */
const char *fc_autogroup_state(void);
/* The device whose clients a change of policy concerns; NULL: none any more. */
void fc_policy_attach(struct fc_device *dev);

/* One more weighted thread of this user; NULL: it has its share. */
struct fc_user *fc_user_take(kuid_t uid);
void fc_user_put(struct fc_user *user);

#endif
