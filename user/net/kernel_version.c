/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/kernel_version.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

/* "6.1.190" and whatever follows; a second number is needed. */
static bool read_numbers(const char *text, struct kernel_version *out)
{
	unsigned long numbers[3] = {0};
	int count = 0;
	char *end;

	while (text && count < 3 && isdigit((unsigned char)*text)) {
		numbers[count++] = strtoul(text, &end, 10);
		text = *end == '.' ? end + 1 : NULL;
	}
	if (count < 2)
		return false;
	*out = (struct kernel_version){(unsigned int)numbers[0], (unsigned int)numbers[1],
				       (unsigned int)numbers[2]};
	return true;
}

/* What follows the word; NULL when it is not there. */
static const char *after(const char *text, const char *word)
{
	const char *found = strstr(text, word);

	return found ? found + strlen(word) : NULL;
}

struct kernel_version kernel_version_parse(const char *release, const char *version,
					   const char *signature)
{
	struct kernel_version found = {0};
	const char *last = strrchr(signature, ' ');

	/* "Ubuntu 6.8.0-45.45-generic 6.8.12" */
	if (strncmp(signature, "Ubuntu ", 7) == 0 && last && read_numbers(last + 1, &found))
		return found;
	/* "#1 SMP PREEMPT_DYNAMIC Debian 6.1.190-1 (2026-10-02)" */
	if (read_numbers(after(version, " Debian "), &found))
		return found;
	read_numbers(release, &found);
	return found;
}

struct kernel_version kernel_version_get(void)
{
	char signature[128] = "";
	struct utsname name;
	FILE *file;

	if (uname(&name))
		return (struct kernel_version){0};
	file = fopen("/proc/version_signature", "re");
	if (file) {
		if (fgets(signature, sizeof(signature), file))
			signature[strcspn(signature, "\n")] = '\0';
		fclose(file);
	}
	return kernel_version_parse(name.release, name.version, signature);
}

static bool same_line(struct kernel_version a, struct kernel_version b)
{
	return a.major == b.major && a.minor == b.minor;
}

static bool reaches(struct kernel_version kernel, struct kernel_version other)
{
	if (kernel.major != other.major)
		return kernel.major > other.major;
	if (kernel.minor != other.minor)
		return kernel.minor > other.minor;
	return kernel.patch >= other.patch;
}

bool kernel_version_has(struct kernel_version kernel, const struct kernel_version *fixed,
			size_t count)
{
	for (size_t i = 0; i + 1 < count; i++)
		if (same_line(kernel, fixed[i]))
			return kernel.patch >= fixed[i].patch;
	return reaches(kernel, fixed[count - 1]);
}

const char *kernel_version_format(struct kernel_version kernel, char out[KERNEL_VERSION_TEXT_MAX])
{
	snprintf(out, KERNEL_VERSION_TEXT_MAX, "%u.%u.%u", kernel.major, kernel.minor,
		 kernel.patch);
	return out;
}
