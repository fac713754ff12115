// SPDX-License-Identifier: GPL-2.0-only
/* HELLO: agreeing with the host on version, features and limits. */
#include <linux/io.h>
#include <linux/slab.h>

#include "farcall.h"

#define FC_HELLO_TIMEOUT (10 * HZ)

static void fc_hello_late(struct fc_request *req)
{
	kfree(req);
}

static int fc_hello_check(struct fc_device *dev, const struct fc_control *answer, u64 features)
{
	struct fc_limits *l = &dev->limits;

	if (answer->status) {
		dev_err(&dev->pdev->dev,
			"the host refused HELLO: error %d; it offers version %llu, features %#llx\n",
			answer->status, answer->arg[0], answer->arg[1]);
		return answer->status;
	}
	l->version = answer->arg[0];
	l->features = answer->arg[1];
	l->max_channels = lower_32_bits(answer->arg[2]);
	l->max_regions = upper_32_bits(answer->arg[2]);
	l->max_command_slots = min_t(u32, lower_32_bits(answer->arg[3]), FC_MAX_COMMAND_SLOTS);
	l->max_event_slots = min_t(u32, upper_32_bits(answer->arg[3]), FC_MAX_EVENT_SLOTS);
	l->max_region_bytes = answer->arg[4];
	if (l->version != FC_ABI_VERSION || l->features & ~features) {
		dev_err(&dev->pdev->dev,
			"HELLO: host answers version %u, features %#llx; asked for %u, %#llx\n",
			l->version, l->features, FC_ABI_VERSION, features);
		return -EPROTO;
	}
	return 0;
}

/* Agrees with the host on version and features. */
int fc_control_hello(struct fc_device *dev)
{
	struct fc_request *req = kzalloc(sizeof(*req), GFP_KERNEL);
	u64 features = readl(dev->regs + FC_REG_FEATURES_LO) |
		       (u64)readl(dev->regs + FC_REG_FEATURES_HI) << 32;
	int ret;

	if (!req)
		return -ENOMEM;
	features &= FC_FEATURE_ALL;
	fc_request_init(req, dev, FC_CTL_HELLO, fc_hello_late);
	req->msg.arg[0] = FC_ABI_VERSION;
	req->msg.arg[1] = features;
	fc_request_post(req);
	ret = fc_request_wait(req, FC_HELLO_TIMEOUT);
	if (ret) {
		dev_err(&dev->pdev->dev, "the host did not answer HELLO: error %d\n", ret);
		return ret;
	}
	ret = fc_hello_check(dev, &req->msg, features);
	kfree(req);
	return ret;
}
