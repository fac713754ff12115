/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR MIT */
/*
 * A buddy allocator over numbered units, for blocks of 2^order units that lie at multiples of their size. It keeps its
 * state away from the memory that it hands out, so that whoever can write to that memory can't harm it. Allocating and
 * freeing take one step per level, whatever was done before; two free buddies are one block again at once, so that
 * memory of which everything was given back is whole. Not thread-safe. C and C++, kernel and user space.
 */
#ifndef FARCALL_BUDDY_H
#define FARCALL_BUDDY_H

#include <farcall/abi.h>

#define FC_BUDDY_NONE (~(fc_u32)0)
#define FC_BUDDY_MAX_LEVELS 30u

/*
 * A binary tree in an array: node 1 is everything, nodes 2n and 2n + 1 are the halves of node n. `room` of a node is 1 + the
 * order of the largest free block below it, 0 if there is none. Below a node that was handed out as a block the halves
 * still say that they are free: that is how a block's beginning leads to its size.
 */
struct fc_buddy {
	fc_u8 *room;   /* fc_buddy_state_bytes() bytes, the caller's */
	fc_u32 levels; /* order of node 1 */
	fc_u32 units;  /* that exist; those behind them are never handed out */
};

static inline fc_u32 fc_buddy_levels(fc_u32 units)
{
	fc_u32 levels = 0;

	while (levels < FC_BUDDY_MAX_LEVELS && (1u << levels) < units)
		levels++;
	return levels;
}

/* Bytes of state for so many units, 1 to 2^FC_BUDDY_MAX_LEVELS. */
static inline fc_u32 fc_buddy_state_bytes(fc_u32 units)
{
	return 2u << fc_buddy_levels(units);
}

/* The smallest order of which a block has so many units. */
static inline fc_u32 fc_buddy_order(fc_u32 units)
{
	return fc_buddy_levels(units);
}

/* `order`: of the node's halves. */
static inline void fc_buddy_sum(struct fc_buddy *buddy, fc_u32 node, fc_u32 order)
{
	fc_u8 left = buddy->room[2 * node], right = buddy->room[2 * node + 1];

	if (left == order + 1 && right == order + 1)
		buddy->room[node] = (fc_u8)(order + 2);
	else
		buddy->room[node] = left > right ? left : right;
}

/* Carries a change of a node of that order up to the root. */
static inline void fc_buddy_carry(struct fc_buddy *buddy, fc_u32 node, fc_u32 order)
{
	for (; node > 1; order++) {
		node /= 2;
		fc_buddy_sum(buddy, node, order);
	}
}

/* Everything is free. */
static inline void fc_buddy_init(struct fc_buddy *buddy, fc_u8 *state, fc_u32 units)
{
	fc_u32 node, order, leaf = 1u << fc_buddy_levels(units);

	buddy->room = state;
	buddy->levels = fc_buddy_levels(units);
	buddy->units = units;
	state[0] = 0;
	for (node = 0; node < leaf; node++)
		state[leaf + node] = node < units;
	for (order = 0; order < buddy->levels; order++) {
		leaf /= 2;
		for (node = leaf; node < 2 * leaf; node++)
			fc_buddy_sum(buddy, node, order);
	}
}

/* 1 + the order of the largest free block; 0: nothing is free. */
static inline fc_u32 fc_buddy_room(const struct fc_buddy *buddy)
{
	return buddy->room[1];
}

/* The first unit of a block, or FC_BUDDY_NONE. Takes the tightest half at each step, to keep large blocks whole. */
static inline fc_u32 fc_buddy_alloc(struct fc_buddy *buddy, fc_u32 order)
{
	fc_u32 node = 1, level = buddy->levels;

	if (order > level || buddy->room[1] < order + 1)
		return FC_BUDDY_NONE;
	for (; level > order; level--) {
		fc_u8 left = buddy->room[2 * node], right = buddy->room[2 * node + 1];

		node = 2 * node + (left < order + 1 || (right >= order + 1 && right < left));
	}
	buddy->room[node] = 0;
	fc_buddy_carry(buddy, node, order);
	return (node << order) - (1u << buddy->levels);
}

/* The node of the block that begins at `unit`, and its order; 0: none does. */
static inline fc_u32 fc_buddy_find(const struct fc_buddy *buddy, fc_u32 unit, fc_u32 *order)
{
	fc_u32 node;

	if (unit >= buddy->units)
		return 0;
	node = (1u << buddy->levels) + unit;
	for (*order = 0; node != 0 && buddy->room[node] != 0; node /= 2)
		++*order;
	return (unit & ((1u << *order) - 1)) == 0 ? node : 0;
}

/* 1, or 0 when no block begins there: nothing has changed then. */
static inline int fc_buddy_free(struct fc_buddy *buddy, fc_u32 unit)
{
	fc_u32 order, node = fc_buddy_find(buddy, unit, &order);

	if (node == 0)
		return 0;
	buddy->room[node] = (fc_u8)(order + 1);
	fc_buddy_carry(buddy, node, order);
	return 1;
}

/* Frees all of the block that begins at `unit` but its first 2^order units. 0: no block begins there, or it is smaller. */
static inline int fc_buddy_trim(struct fc_buddy *buddy, fc_u32 unit, fc_u32 order)
{
	fc_u32 has, node = fc_buddy_find(buddy, unit, &has);

	if (node == 0 || order > has)
		return 0;
	for (; has > order; has--)
		node *= 2;
	buddy->room[node] = 0;
	fc_buddy_carry(buddy, node, order);
	return 1;
}

#endif
