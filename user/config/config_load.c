/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Defaults, then the file, then the options. */
#include "config/config_load.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <confuse.h>

#include "base/control_socket.h"
#include "base/log.h"
#include "config/config.h"
#include "config/config_file.h"
#include "config/options.h"
#include "config/settings.h"

static int finish_control(struct config *config)
{
	char path[256];

	config->control_is_default = !config->control;
	if (config->control_is_default)
		config->control = strdup(control_default_path(path, sizeof(path)));
	if (!config->control)
		log_error("configuration: %s", strerror(ENOMEM));
	return config->control ? 0 : -ENOMEM;
}

struct config *config_load(const struct options *options)
{
	struct draft draft = {.config = config_new()};
	struct cfg_t *file = NULL;
	const char *path = options_file(options);
	bool loaded = false;

	if (!draft.config) {
		log_error("configuration: %s", strerror(ENOMEM));
		return NULL;
	}
	if (path) {
		file = config_file_parse(path);
		if (!file || config_file_apply(file, &draft))
			goto out;
	}
	loaded = !options_apply(options, &draft) && !settings_finish_listeners(&draft) &&
		 !settings_finish_exits(&draft) && !settings_finish_portal(draft.config) &&
		 !finish_control(draft.config);
out:
	if (!loaded) {
		config_put(draft.config);
		draft.config = NULL;
	}
	free(draft.listen_from);
	if (file)
		cfg_free(file);
	return draft.config;
}
