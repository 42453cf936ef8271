/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the table of settings has of the sections with names. */
#ifndef HAWSER_CONFIG_SETTINGS_PRIVATE_H
#define HAWSER_CONFIG_SETTINGS_PRIVATE_H

#include "config/settings.h"

/* A new element, zeroed, at the end of a list of count elements; NULL after logging. */
void *settings_grow(const struct value *value, void *list, size_t *count, size_t size);

/* settings_end_item() of each section: judges draft->item and adds it. */
int settings_add_listener(struct draft *draft);
int settings_add_user(struct draft *draft);
int settings_add_exit(struct draft *draft);
int settings_add_link(struct draft *draft);

/* Kinds of values that only one section has. */
VALUE_KIND(settings_gateway);	     /* union address[IP_FAMILIES] */
VALUE_KIND(settings_probe);	     /* struct link_config */
VALUE_KIND(settings_portal_check);   /* struct portal_config */
VALUE_KIND(settings_exit_by_option); /* struct draft: an exit, but for its token */
VALUE_KIND(settings_metrics_token);  /* char *: what the file has */
VALUE_KIND(settings_exit_place);     /* struct exit_place, with the usual port */

#endif
