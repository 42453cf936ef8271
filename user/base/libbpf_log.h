/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What libbpf has to say, as lines of the log at level debug. */
#ifndef HAWSER_BASE_LIBBPF_LOG_H
#define HAWSER_BASE_LIBBPF_LOG_H

/* Before the first use of libbpf; again does no harm. */
void libbpf_log_start(void);

#endif
