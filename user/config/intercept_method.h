/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ways in which a LAN's connections can be taken, by name. */
#ifndef HAWSER_CONFIG_INTERCEPT_METHOD_H
#define HAWSER_CONFIG_INTERCEPT_METHOD_H

enum intercept_method { INTERCEPT_TPROXY, INTERCEPT_REDIRECT, INTERCEPT_BPF };

/* "tproxy", "redirect", "bpf", NULL; by enum intercept_method. */
extern const char *const intercept_method_words[];

/* An enum intercept_method; -1: there is none of this name. */
int intercept_method_find(const char *name);

#endif
