// SPDX-License-Identifier: MIT
#pragma once

// Linux headers before 6.7 declare flexible arrays behind an empty struct, which takes room in C++:
// kvm_cpuid2 and its kin would have other sizes than in the kernel, and their ioctls other numbers. Include
// this, never <linux/kvm.h>.
#include <linux/stddef.h>
#undef __DECLARE_FLEX_ARRAY
#define __DECLARE_FLEX_ARRAY(type, name) type name[0]
#include <linux/kvm.h>

static_assert(sizeof(kvm_cpuid2) == 8 && sizeof(kvm_irq_routing) == 8 && sizeof(kvm_msrs) == 8,
              "KVM's structures are as the kernel knows them");
