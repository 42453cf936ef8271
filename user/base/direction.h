/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The two directions of a session. */
#ifndef HAWSER_BASE_DIRECTION_H
#define HAWSER_BASE_DIRECTION_H

enum direction {
	UP, /* client to destination */
	DOWN,
	DIRECTIONS
};

static inline enum direction direction_opposite(enum direction direction)
{
	return direction == UP ? DOWN : UP;
}

#endif
