/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The file in which usage of links survives restarts: {"links": {"lte": {…}}}. */
#include "links/quota_file.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"

#define BOOT_TEXT_MAX 64

struct quota_file {
	char path[PATH_MAX];
	char boot[BOOT_TEXT_MAX]; /* what the kernel calls this one */
	struct json_object *root;
};

static void read_boot(char out[BOOT_TEXT_MAX])
{
	FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");

	if (file && fgets(out, BOOT_TEXT_MAX, file))
		out[strcspn(out, "\n")] = '\0';
	if (file)
		fclose(file);
}

/* NULL if there is none that makes sense. */
static struct json_object *read_root(const char *path)
{
	struct json_object *root = json_object_from_file(path);

	if (root && json_object_is_type(json_member(root, "links"), json_type_object))
		return root;
	if (root || access(path, F_OK) == 0)
		log_warning("quota: %s is no quota file of hawserd; links begin at 0 bytes", path);
	json_object_put(root);
	return NULL;
}

struct quota_file *quota_file_open(const char *directory)
{
	struct quota_file *file = calloc(1, sizeof(*file));

	if (!file)
		return NULL;
	if ((size_t)snprintf(file->path, sizeof(file->path), "%s/" QUOTA_FILE_NAME, directory) >=
	    sizeof(file->path))
		log_warning("quota: %s: %s", directory, strerror(ENAMETOOLONG));
	read_boot(file->boot);
	file->root = read_root(file->path);
	if (!file->root) {
		file->root = json_object_new_object();
		json_object_object_add(file->root, "links", json_object_new_object());
	}
	return file;
}

void quota_file_close(struct quota_file *file)
{
	if (!file)
		return;
	json_object_put(file->root);
	free(file);
}

/* False: it makes no sense. */
static bool get_month(struct json_object *object, struct link_month *out)
{
	const char *since = json_text(object, "since");

	if (strlen(since) + 1 != sizeof(out->since))
		return false;
	memcpy(out->since, since, sizeof(out->since));
	out->bytes = json_count(object, "bytes");
	return true;
}

struct quota_usage quota_file_get(const struct quota_file *file, const char *name)
{
	struct json_object *link = json_member(json_member(file->root, "links"), name);
	struct json_object *others = json_member(link, "others");
	struct quota_usage usage = {.begun = true,
				    .device = (int)json_count(link, "device"),
				    .counter = json_count(link, "counter")};

	if (!get_month(link, &usage.month))
		return (struct quota_usage){0};
	for (size_t i = 0; i < json_length(others) && i < LINK_MONTHS_KEPT; i++)
		if (!get_month(json_object_array_get_idx(others, i), &usage.others[i]))
			usage.others[i] = (struct link_month){0};
	if (!*file->boot || strcmp(json_text(link, "boot"), file->boot) != 0)
		quota_usage_reboot(&usage);
	return usage;
}

static void put_month(struct json_object *object, const struct link_month *month)
{
	json_object_object_add(object, "since", json_object_new_string(month->since));
	json_object_object_add(object, "bytes", json_object_new_uint64(month->bytes));
}

const char *quota_file_put(struct quota_file *file, const char *name,
			   const struct quota_usage *usage)
{
	struct json_object *link = json_object_new_object();
	struct json_object *others = json_object_new_array();

	put_month(link, &usage->month);
	for (size_t i = 0; i < LINK_MONTHS_KEPT && *usage->others[i].since; i++) {
		struct json_object *other = json_object_new_object();

		put_month(other, &usage->others[i]);
		json_object_array_add(others, other);
	}
	json_object_object_add(link, "others", others);
	json_object_object_add(link, "boot", json_object_new_string(file->boot));
	json_object_object_add(link, "device", json_object_new_int64(usage->device));
	json_object_object_add(link, "counter", json_object_new_uint64(usage->counter));
	json_object_object_add(json_member(file->root, "links"), name, link);
	return json_object_to_json_string_ext(file->root, JSON_C_TO_STRING_PRETTY);
}
