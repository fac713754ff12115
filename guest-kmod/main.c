// SPDX-License-Identifier: GPL-2.0-only
/*
 * farcall.ko: /dev/farcall on top of the farcall monitor's PCI device.
 *
 * The module is on the slow path only: it sets up memory that a process shares with the host, puts
 * threads to sleep and wakes them, and takes everything down again. Commands and events go through
 * shared memory without it.
 */
#include <linux/atomic.h>
#include <linux/io.h>
#include <linux/module.h>
#include <linux/panic_notifier.h>
#include <linux/slab.h>

#include "farcall.h"
#include "fs.h"
#include "kcall.h"

#define FC_RESET_TIMEOUT_MS 10000
#define FC_PANIC_STATUS 255
#define FC_IDLE_WARNING (60 * HZ)

static atomic_t fc_bound = ATOMIC_INIT(0);

static int fc_panic(struct notifier_block *nb, unsigned long action, void *text)
{
	struct fc_device *dev = container_of(nb, struct fc_device, panic);

	writel(FC_PANIC_STATUS, dev->regs + FC_REG_VM_EXIT);
	return NOTIFY_DONE;
}

static int fc_check_registers(struct fc_device *dev)
{
	struct device *d = &dev->pdev->dev;
	u32 magic = readl(dev->regs + FC_REG_MAGIC);
	u32 version = readl(dev->regs + FC_REG_VERSION);

	if (magic != FC_ABI_MAGIC) {
		dev_err(d, "not a farcall device: magic %#x instead of %#x\n", magic, FC_ABI_MAGIC);
		return -ENODEV;
	}
	if (version != FC_ABI_VERSION) {
		dev_err(d, "the host speaks version %u, this module version %u\n", version,
			FC_ABI_VERSION);
		return -EPROTO;
	}
	return 0;
}

/* Enables the device and maps its registers; undone by fc_pci_teardown(). */
static int fc_pci_setup(struct fc_device *dev)
{
	struct pci_dev *pdev = dev->pdev;
	int ret = pci_enable_device_mem(pdev);

	if (ret)
		return ret;
	ret = pci_request_regions(pdev, "farcall");
	if (ret)
		goto disable;
	dev->doorbells = pci_resource_start(pdev, FC_PCI_BAR_DOORBELLS);
	dev->doorbell_bytes = pci_resource_len(pdev, FC_PCI_BAR_DOORBELLS);
	ret = -ENODEV;
	if (pci_resource_len(pdev, FC_PCI_BAR_REGISTERS) < FC_REG_BYTES ||
	    dev->doorbell_bytes < PAGE_SIZE || !PAGE_ALIGNED(dev->doorbells)) {
		dev_err(&pdev->dev, "BARs missing, too small or not page-aligned\n");
		goto release;
	}
	dev->regs = pci_iomap(pdev, FC_PCI_BAR_REGISTERS, FC_REG_BYTES);
	if (!dev->regs)
		goto release;
	return 0;
release:
	pci_release_regions(pdev);
disable:
	pci_disable_device(pdev);
	return ret;
}

static void fc_pci_teardown(struct fc_device *dev)
{
	pci_clear_master(dev->pdev);
	pci_iounmap(dev->pdev, dev->regs);
	pci_release_regions(dev->pdev);
	pci_disable_device(dev->pdev);
}

/* From mapped registers to a host that has answered HELLO; undone by fc_host_teardown(). */
static int fc_host_setup(struct fc_device *dev)
{
	int ret = fc_check_registers(dev);

	if (ret)
		return ret;
	ret = fc_device_reset(dev, FC_RESET_TIMEOUT_MS);
	if (ret) {
		dev_err(&dev->pdev->dev, "the host did not reset the device\n");
		return ret;
	}
	pci_set_master(dev->pdev);
	ret = fc_control_start(dev);
	if (ret)
		return ret;
	ret = fc_irq_setup(dev);
	if (ret) {
		dev_err(&dev->pdev->dev, "no MSI-X vectors: error %d\n", ret);
		fc_control_reset(dev);
		goto free_control;
	}
	ret = fc_control_hello(dev);
	if (!ret)
		return 0;
	fc_control_reset(dev);
	fc_irq_teardown(dev);
free_control:
	fc_control_free(dev);
	return ret;
}

/* After fc_control_reset() and when dev->live has reached zero. */
static void fc_host_teardown(struct fc_device *dev)
{
	fc_irq_teardown(dev);
	fc_control_free(dev);
}

static struct fc_device *fc_device_alloc(struct pci_dev *pdev)
{
	struct fc_device *dev = kzalloc(sizeof(*dev), GFP_KERNEL);
	unsigned int i;

	if (!dev)
		return NULL;
	dev->pdev = pdev;
	dev->misc.minor = MISC_DYNAMIC_MINOR;
	dev->misc.name = "farcall";
	dev->misc.mode = 0666;
	dev->misc.fops = &fc_client_fops;
	dev->misc.parent = &pdev->dev;
	dev->panic.notifier_call = fc_panic;
	dev->panic.priority = INT_MIN;
	spin_lock_init(&dev->control_lock);
	for (i = 0; i < FC_QUEUES; i++)
		INIT_LIST_HEAD(&dev->queues[i]);
	mutex_init(&dev->lock);
	INIT_LIST_HEAD(&dev->clients);
	fc_weight_init(dev);
	refcount_set(&dev->live, 1);
	init_completion(&dev->idle);
	dev->kernel = fc_kernel_create(dev);
	if (!dev->kernel) {
		kfree(dev);
		return NULL;
	}
	return dev;
}

static void fc_device_free(struct fc_device *dev)
{
	fc_kernel_put(dev->kernel);
	kfree(dev);
}

static int fc_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct fc_device *dev;
	int ret = -ENOMEM;

	if (atomic_cmpxchg(&fc_bound, 0, 1)) {
		dev_err(&pdev->dev, "only one farcall device is supported\n");
		return -EBUSY;
	}
	dev = fc_device_alloc(pdev);
	if (!dev)
		goto unbind;
	ret = fc_pci_setup(dev);
	if (ret)
		goto free;
	ret = fc_host_setup(dev);
	if (ret)
		goto pci;
	ret = fc_weight_start(dev);
	if (ret)
		goto host;
	ret = misc_register(&dev->misc);
	if (ret)
		goto weight;
	pci_set_drvdata(pdev, dev);
	atomic_notifier_chain_register(&panic_notifier_list, &dev->panic);
	fc_debugfs_create(dev);
	fc_kernel_bind(dev->kernel);
	dev_info(&pdev->dev, "version %u, features %#llx, %u event vectors\n", dev->limits.version,
		 dev->limits.features, dev->n_vectors);
	return 0;
weight:
	fc_weight_stop(dev);
host:
	fc_control_reset(dev);
	fc_kernel_stop(dev->kernel);
	fc_host_teardown(dev);
pci:
	fc_pci_teardown(dev);
free:
	fc_device_free(dev);
unbind:
	atomic_set(&fc_bound, 0);
	return ret;
}

/*
 * Ends every client's use of the device; those who never close their files were told by -EPIPE and
 * POLLHUP.
 */
static void fc_close_clients(struct fc_device *dev)
{
	struct fc_client *client;

	mutex_lock(&dev->lock);
	list_for_each_entry(client, &dev->clients, link)
		fc_client_close_channels(client);
	mutex_unlock(&dev->lock);
}

/* Waits until the last client struct is gone. */
static void fc_wait_idle(struct fc_device *dev)
{
	if (refcount_dec_and_test(&dev->live))
		return;
	while (!wait_for_completion_timeout(&dev->idle, FC_IDLE_WARNING))
		dev_warn(&dev->pdev->dev,
			 "removed, but some process has not closed its farcall descriptors\n");
}

/*
 * Unloading the module gets here with no file open and perhaps teardowns in flight, which the reset
 * finishes. Files can be open only when the PCI device itself is removed (the driver has no unbind
 * attribute); then this waits until they are closed, because they may have doorbells mapped.
 */
static void fc_remove(struct pci_dev *pdev)
{
	struct fc_device *dev = pci_get_drvdata(pdev);

	fc_kernel_bind(NULL);
	misc_deregister(&dev->misc);
	atomic_notifier_chain_unregister(&panic_notifier_list, &dev->panic);
	fc_debugfs_remove(dev);
	fc_weight_stop(dev);
	fc_control_reset(dev);
	fc_kernel_stop(dev->kernel);
	fc_close_clients(dev);
	fc_wait_idle(dev);
	fc_host_teardown(dev);
	fc_pci_teardown(dev);
	fc_device_free(dev);
	atomic_set(&fc_bound, 0);
}

/* Reboot and kexec: the next kernel must not find the host at work in its memory. */
static void fc_shutdown(struct pci_dev *pdev)
{
	struct fc_device *dev = pci_get_drvdata(pdev);

	fc_control_quiesce(dev, FC_RESET_TIMEOUT_MS);
	fc_kernel_halt(dev->kernel);
}

static const struct pci_device_id fc_pci_ids[] = { { PCI_DEVICE(FC_PCI_VENDOR, FC_PCI_DEVICE) },
						   {} };
MODULE_DEVICE_TABLE(pci, fc_pci_ids);

static struct pci_driver fc_pci_driver = {
	.name = "farcall",
	.id_table = fc_pci_ids,
	.probe = fc_probe,
	.remove = fc_remove,
	.shutdown = fc_shutdown,
	.driver.suppress_bind_attrs = true,
};

static int __init fc_init(void)
{
	int ret = fc_fs_register();

	if (ret)
		return ret;
	ret = pci_register_driver(&fc_pci_driver);
	if (ret)
		fc_fs_unregister();
	return ret;
}
module_init(fc_init);

/* No file system is mounted: a mount holds the module. */
static void __exit fc_exit(void)
{
	pci_unregister_driver(&fc_pci_driver);
	fc_fs_unregister();
}
module_exit(fc_exit);

MODULE_DESCRIPTION("System-call offload to a farcall host");
MODULE_AUTHOR("The farcall authors");
MODULE_LICENSE("GPL");
