/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pages of programs and libraries that this process has in memory. */
#ifndef HAWSER_BASE_CODE_PAGES_H
#define HAWSER_BASE_CODE_PAGES_H

/* Lets go of all of them; those that are used come again, from the page cache as a rule. For after
 * a start, most of whose code is not used again: what nobody has mapped the kernel can drop where
 * memory is short. */
void code_pages_forget(void);

#endif
