// SPDX-License-Identifier: GPL-2.0-only
/* Weighting policies, switched at run time; their limits; and how many threads each user may have
 * weighted. */
#include <linux/fs.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "farcall.h"
#include "weight_math.h"
#include "weight_policy.h"
#include "weight_thread.h"

static unsigned int max_boost = 10;
module_param(max_boost, uint, 0644);
MODULE_PARM_DESC(max_boost, "steps of nice that events may add to a thread (0 .. 20)");

static unsigned int max_penalty = 5;
module_param(max_penalty, uint, 0644);
MODULE_PARM_DESC(max_penalty,
		 "steps of nice that a storm of events may take from a thread (0 .. 19)");

static unsigned int max_weighted = 32;
module_param(max_weighted, uint, 0644);
MODULE_PARM_DESC(max_weighted, "threads of one user that may be weighted");

static unsigned int max_urgent = 50;
module_param(max_urgent, uint, 0644);
MODULE_PARM_DESC(max_urgent,
		 "per cent of one CPU that all urgent threads together may use as such (0 .. 90)");

static u32 fc_weight_formula(u32 base, u32 priority)
{
	return fc_weight_of(base, priority, min(READ_ONCE(max_boost), 20u));
}

static u32 fc_weight_none(u32 base, u32 priority)
{
	return 0;
}

static u32 fc_slice_none(u32 weight, u32 priority)
{
	return 0;
}

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
static u32 fc_slice_weighted(u32 weight, u32 priority)
{
	return priority ? fc_slice_of_handler(weight) : 0;
}

static u32 fc_slice_formula(u32 weight, u32 priority)
{
	return fc_slice_of(weight);
}
#else /* sched_setattr() knows no slices */
#define fc_slice_weighted fc_slice_none
#define fc_slice_formula fc_slice_none
#endif

/* A policy that asks another scheduler (sched_ext, where a kernel has it) is one more row. */
static const struct fc_policy fc_policies[] = {
	{ "none", fc_weight_none, fc_slice_none },
	{ "weighted", fc_weight_formula,
	  fc_slice_weighted }, /* the best for handlers among fair ones, as measured */
	{ "urgent", fc_weight_formula, fc_slice_weighted,
	  .urgent = true }, /* and real-time while it has credit */
	{ "formula", fc_weight_formula, fc_slice_formula }, /* also the slice to the letter */
	{ "nice", fc_weight_formula, fc_slice_none }, /* weight alone */
};

static DEFINE_MUTEX(fc_policy_lock); /* fc_policy_dev */
static const struct fc_policy *fc_policy = &fc_policies[1];
static struct fc_device *fc_policy_dev;

const struct fc_policy *fc_policy_now(void)
{
	return READ_ONCE(fc_policy);
}

bool fc_weight_enabled(void)
{
	return fc_policy_now() != &fc_policies[0];
}

u32 fc_urgent_percent(void)
{
	return min(READ_ONCE(max_urgent), FC_URGENT_PERCENT_MAX);
}

u32 fc_base_now(const struct fc_device *dev)
{
	return fc_weight_base(atomic_read(&dev->weight.load), min(READ_ONCE(max_penalty), 19u));
}

/*
 * With autogroup, nice counts only among the tasks of one session, and so do weights. Its switch is
 * not exported to modules: the file says it.
 */
const char *fc_autogroup_state(void)
{
	struct file *file = filp_open("/proc/sys/kernel/sched_autogroup_enabled", O_RDONLY, 0);
	const char *state = "unknown";
	loff_t at = 0;
	char value;

	if (IS_ERR(file))
		return PTR_ERR(file) == -ENOENT ? "off" : state;
	if (kernel_read(file, &value, 1, &at) == 1)
		state = value == '0' ? "off" : "on";
	filp_close(file, NULL);
	return state;
}

static void fc_warn_autogroup(void)
{
	if (!strcmp(fc_autogroup_state(), "on"))
		pr_warn("farcall: autogroup is on: weights count only inside of one session; boot "
			"with noautogroup\n");
}

/* When this returns, the policy is in force for all: after "none" nobody is weighted any more. */
static int fc_policy_set(const char *value, const struct kernel_param *param)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(fc_policies); i++) {
		if (!sysfs_streq(value, fc_policies[i].name))
			continue;
		mutex_lock(&fc_policy_lock);
		WRITE_ONCE(fc_policy, &fc_policies[i]);
		if (fc_policy_dev) {
			fc_weight_tick_now(fc_policy_dev);
			if (fc_weight_enabled())
				fc_warn_autogroup();
		}
		mutex_unlock(&fc_policy_lock);
		return 0;
	}
	return -EINVAL;
}

static int fc_policy_get(char *buffer, const struct kernel_param *param)
{
	return sysfs_emit(buffer, "%s\n", fc_policy_now()->name);
}

static const struct kernel_param_ops fc_policy_ops = { .set = fc_policy_set, .get = fc_policy_get };
module_param_cb(policy, &fc_policy_ops, NULL, 0644);
MODULE_PARM_DESC(
	policy,
	"how events weight their processes: none, weighted (default), urgent, formula, nice");

void fc_policy_attach(struct fc_device *dev)
{
	mutex_lock(&fc_policy_lock);
	fc_policy_dev = dev;
	mutex_unlock(&fc_policy_lock);
	if (dev && fc_weight_enabled())
		fc_warn_autogroup();
}

struct fc_user {
	struct list_head link;
	kuid_t uid;
	unsigned int threads;
};

static DEFINE_MUTEX(fc_users_lock);
static LIST_HEAD(fc_users);

static struct fc_user *fc_user_find(kuid_t uid)
{
	struct fc_user *user;

	list_for_each_entry(user, &fc_users, link)
		if (uid_eq(user->uid, uid))
			return user;
	user = kzalloc(sizeof(*user), GFP_KERNEL_ACCOUNT);
	if (!user)
		return NULL;
	user->uid = uid;
	list_add(&user->link, &fc_users);
	return user;
}

struct fc_user *fc_user_take(kuid_t uid)
{
	unsigned int limit = READ_ONCE(max_weighted);
	struct fc_user *user = NULL;

	mutex_lock(&fc_users_lock);
	if (limit)
		user = fc_user_find(uid);
	if (user && user->threads >= limit)
		user = NULL;
	if (user)
		user->threads++;
	mutex_unlock(&fc_users_lock);
	return user;
}

void fc_user_put(struct fc_user *user)
{
	mutex_lock(&fc_users_lock);
	if (--user->threads == 0) {
		list_del(&user->link);
		kfree(user);
	}
	mutex_unlock(&fc_users_lock);
}
