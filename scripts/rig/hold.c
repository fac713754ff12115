// SPDX-License-Identifier: MIT
// Holds two idle VMs of the rig host's (L1) KVM open, for the rig's whole life.
//
// KVM's first VM and first vCPU switch on static keys in hot code (the preempt notifiers in __schedule, the local APIC's
// checks), its last ones switch them off: each time the kernel patches code that the other CPU is running. QEMU before
// 8.1 can keep a translation of the half-patched code (pages are locked only after translation), and L1 then dies
// with "Oops: int3" in __schedule. As long as these VMs exist, the keys stay on.
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

// With and without an interrupt controller in the kernel: they hold different keys.
static int hold_vm(int kvm, int irqchip) {
  int vm = ioctl(kvm, KVM_CREATE_VM, 0);
  if (vm < 0) return -1;
  if (irqchip && ioctl(vm, KVM_CREATE_IRQCHIP, 0) != 0) return -1;
  return ioctl(vm, KVM_CREATE_VCPU, 0);
}

int main(void) {
  int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
  if (kvm < 0 || hold_vm(kvm, 0) < 0 || hold_vm(kvm, 1) < 0) {
    perror("rig-init: hold");
    return 1;
  }
  // init looks for this line.
  if (write(1, "held\n", 5) != 5) return 1;
  for (;;) pause();
}
