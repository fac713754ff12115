// SPDX-License-Identifier: GPL-2.0-only
/* debugfs farcall/weights: the formula and its inputs, and what each thread was given. Root only.
 */
#include <linux/pid.h>
#include <linux/seq_file.h>

#include "farcall.h"
#include "weight_math.h"
#include "weight_policy.h"
#include "weight_thread.h"

static void fc_show_load(struct seq_file *m, const char *name, u32 load)
{
	seq_printf(m, " %s %u.%02u", name, load / FC_LOAD_ONE,
		   load % FC_LOAD_ONE * 100 / FC_LOAD_ONE);
}

static void fc_show_thread(struct seq_file *m, const struct fc_thread *t)
{
	char comm[TASK_COMM_LEN];

	get_task_comm(comm, t->task);
	seq_printf(m, " thread %d %s priority %u awaited %u weight %u", task_pid_nr(t->task), comm,
		   t->priority, t->awaited, t->weight);
	seq_printf(m, " own_nice %d nice %d slice_us %u",
		   t->weighted ? t->own_nice : task_nice(t->task), task_nice(t->task),
		   t->set_slice_us);
	if (t->set_rank)
		seq_printf(m, " rank %u", t->set_rank);
	if (t->debt_ns)
		seq_printf(m, " debt_us %llu%s", div_u64(t->debt_ns, NSEC_PER_USEC),
			   t->overdrawn ? " overdrawn" : "");
	seq_printf(m, " switches %lu changes %llu%s%s\n", t->task->nvcsw + t->task->nivcsw,
		   t->changes, t->waiting ? " waiting" : "",
		   fc_thread_in_cgroup(t) ? " cpu-cgroup" : "");
}

static void fc_show_client(struct seq_file *m, struct fc_client *client)
{
	const struct fc_client_weight *cw = &client->weight;
	u32 base = fc_base_now(client->dev);
	const struct fc_thread *t;

	seq_printf(m, "process %d srt_priority %u srt_base %u weight %u", pid_nr(client->tgid),
		   min(cw->activated, FC_PRIORITY_MAX), base,
		   fc_policy_now()->weight(base, min(cw->activated, FC_PRIORITY_MAX)));
	fc_show_load(m, "load", cw->rate);
	seq_printf(m, " refused %llu\n", cw->refused);
	list_for_each_entry(t, &cw->threads, link)
		fc_show_thread(m, t);
}

int fc_weight_show(struct seq_file *m, void *unused)
{
	struct fc_device *dev = m->private;
	const char *autogroup = fc_autogroup_state();
	struct fc_client *client;

	seq_printf(m, "policy %s srt_base %u", fc_policy_now()->name, fc_base_now(dev));
	fc_show_load(m, "load", atomic_read(&dev->weight.load));
	seq_printf(m, " ticks %llu interval_ms %u autogroup %s\n", READ_ONCE(dev->weight.ticks),
		   jiffies_to_msecs(READ_ONCE(dev->weight.interval)), autogroup);
	mutex_lock(&dev->weight.lock);
	list_for_each_entry(client, &dev->weight.clients, weight.link) {
		mutex_lock(&client->weight.lock);
		fc_show_client(m, client);
		mutex_unlock(&client->weight.lock);
	}
	mutex_unlock(&dev->weight.lock);
	return 0;
}
