// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts: vector 0 says that control requests finished; each other vector belongs to a set of
 * channels.
 *
 * No wake-up is lost, and none needs to be remembered: the client stores client_armed = 1, then
 * looks at its ring, then sleeps; the host publishes events, and if it sees client_armed, clears it
 * and *then* raises the interrupt. So a cleared client_armed is the latch: fc_channel_woken() looks
 * at it both here and after the sleeper has queued itself. It has to count even when no event is
 * pending: the host's look at client_armed may come late, after the client has consumed those
 * events and armed anew; a client left asleep then would not be armed for the next event.
 */
#include <linux/cpumask.h>
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/slab.h>

#include "farcall.h"

#define FC_VECTORS_PER_CPU 4

static irqreturn_t fc_control_irq(int irq, void *data)
{
	struct fc_device *dev = data;

	dev->control_interrupts++;
	fc_control_reap(dev);
	return IRQ_HANDLED;
}

static irqreturn_t fc_event_irq(int irq, void *data)
{
	struct fc_vector *v = data;
	struct fc_listener *listener;
	unsigned long flags;

	spin_lock_irqsave(&v->lock, flags);
	v->interrupts++;
	list_for_each_entry(listener, &v->listeners, link)
		listener->interrupt(listener);
	spin_unlock_irqrestore(&v->lock, flags);
	return IRQ_HANDLED;
}

/* The vector with the fewest listeners; among equals one whose interrupts arrive on this CPU. */
static struct fc_vector *fc_vector_pick(struct fc_device *dev)
{
	struct fc_vector *best = NULL;
	bool best_here = false;
	u32 i;

	for (i = 0; i < dev->n_vectors; i++) {
		struct fc_vector *v = &dev->vectors[i];
		const struct cpumask *mask = irq_get_effective_affinity_mask(v->irq);
		bool here = mask && cpumask_test_cpu(raw_smp_processor_id(), mask);
		int diff = best ? atomic_read(&v->load) - atomic_read(&best->load) : -1;

		if (diff > 0 || (diff == 0 && (best_here || !here)))
			continue;
		best = v;
		best_here = here;
	}
	return best;
}

void fc_listener_join(struct fc_device *dev, struct fc_listener *listener)
{
	struct fc_vector *v = fc_vector_pick(dev);

	atomic_inc(&v->load);
	listener->vector = v;
	spin_lock_irq(&v->lock);
	list_add_tail(&listener->link, &v->listeners);
	spin_unlock_irq(&v->lock);
}

/* It is not called any more once this returns. */
void fc_listener_leave(struct fc_listener *listener)
{
	struct fc_vector *v = listener->vector;

	spin_lock_irq(&v->lock);
	list_del(&listener->link);
	spin_unlock_irq(&v->lock);
	atomic_dec(&v->load);
}

static void fc_free_irqs(struct fc_device *dev, u32 n_vectors)
{
	while (n_vectors--)
		free_irq(dev->vectors[n_vectors].irq, &dev->vectors[n_vectors]);
	free_irq(pci_irq_vector(dev->pdev, 0), dev);
	pci_free_irq_vectors(dev->pdev);
	kfree(dev->vectors);
	dev->vectors = NULL;
}

static int fc_vector_setup(struct fc_device *dev, u32 i)
{
	struct fc_vector *v = &dev->vectors[i];

	spin_lock_init(&v->lock);
	INIT_LIST_HEAD(&v->listeners);
	atomic_set(&v->load, 0);
	v->index = i + 1;
	v->irq = pci_irq_vector(dev->pdev, i + 1);
	snprintf(v->name, sizeof(v->name), "farcall-event%u", i);
	return request_irq(v->irq, fc_event_irq, 0, v->name, v);
}

/*
 * Needs the control page. Each vector set up costs VM exits, so take no more than CPUs can make use
 * of.
 */
int fc_irq_setup(struct fc_device *dev)
{
	u32 want = min(FC_PCI_VECTORS, 1 + FC_VECTORS_PER_CPU * num_online_cpus());
	int n = pci_alloc_irq_vectors(dev->pdev, 2, want, PCI_IRQ_MSIX);
	int ret;
	u32 i;

	if (n < 0)
		return n;
	dev->n_vectors = n - 1;
	dev->vectors = kcalloc(dev->n_vectors, sizeof(*dev->vectors), GFP_KERNEL);
	ret = dev->vectors ? request_irq(pci_irq_vector(dev->pdev, 0), fc_control_irq, 0,
					 "farcall-control", dev) :
			     -ENOMEM;
	if (ret) {
		pci_free_irq_vectors(dev->pdev);
		kfree(dev->vectors);
		dev->vectors = NULL;
		return ret;
	}
	for (i = 0; i < dev->n_vectors; i++) {
		ret = fc_vector_setup(dev, i);
		if (ret) {
			fc_free_irqs(dev, i);
			return ret;
		}
	}
	return 0;
}

/* After fc_control_reset() and with no channel left. */
void fc_irq_teardown(struct fc_device *dev)
{
	fc_free_irqs(dev, dev->n_vectors);
}
