/* SPDX-License-Identifier: GPL-2.0-or-later */
/* That interception is wanted, and how. A line of JSON, and a line "end". */
#include "intercept/wanted.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

#define END "\nend\n"

int intercept_wanted_open(struct intercept_wanted *wanted, enum run_file_lock how)
{
	int err = run_file_path("intercept", wanted->path, sizeof(wanted->path));

	wanted->fd = err ? err : run_file_lock(wanted->path, how);
	return wanted->fd < 0 ? wanted->fd : 0;
}

char *intercept_wanted_read(const struct intercept_wanted *wanted)
{
	struct stat status;
	char *text;
	ssize_t len;

	if (fstat(wanted->fd, &status))
		return strdup("");
	text = calloc(1, (size_t)status.st_size + 1);
	len = text ? pread(wanted->fd, text, (size_t)status.st_size, 0) : -1;
	if (len < (ssize_t)strlen(END) || strcmp(text + len - strlen(END), END) != 0) {
		free(text);
		return strdup("");
	}
	text[(size_t)len - strlen(END)] = '\0';
	return text;
}

int intercept_wanted_write(const struct intercept_wanted *wanted, const char *control,
			   struct json_object *lan, const char *method, bool by_setting)
{
	struct json_object *object = json_object_new_object();
	char *text = NULL;
	int len = -1;
	int err = -ENOMEM;

	if (!object)
		return err;
	json_object_object_add(object, "control", json_object_new_string(control));
	json_object_object_add(object, "at_ns",
			       json_object_new_int64((int64_t)clock_monotonic_ns()));
	if (lan)
		json_object_object_add(object, "lan", json_object_get(lan));
	if (by_setting)
		json_object_object_add(object, "setting", json_object_new_boolean(true));
	if (method)
		json_object_object_add(object, "method", json_object_new_string(method));
	len = asprintf(&text, "%s" END,
		       json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN));
	if (len >= 0) {
		err = run_file_write(wanted->fd, text, (size_t)len);
		free(text);
	}
	json_object_put(object);
	return err;
}

void intercept_wanted_remove(const struct intercept_wanted *wanted)
{
	unlink(wanted->path);
}

void intercept_wanted_remove_empty(const struct intercept_wanted *wanted)
{
	char *text = wanted->fd < 0 ? NULL : intercept_wanted_read(wanted);

	if (text && !*text)
		intercept_wanted_remove(wanted);
	free(text);
}

void intercept_wanted_close(struct intercept_wanted *wanted)
{
	if (wanted->fd >= 0)
		close(wanted->fd);
	wanted->fd = -1;
}
