/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs tables of checks and prints what they found, line by line as it is known. */
#include "doctor/doctor_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const verdict_words[DOCTOR_VERDICTS] = {
	[DOCTOR_OK] = "ok",
	[DOCTOR_WARN] = "warn",
	[DOCTOR_FAIL] = "fail",
};

static const char *const family_words[IP_FAMILIES] = {[IP_V4] = "ipv4", [IP_V6] = "ipv6"};

void doctor_saw(struct doctor_finding *finding, enum doctor_verdict verdict, const char *format,
		...)
{
	va_list arguments;

	finding->verdict = verdict;
	va_start(arguments, format);
	vsnprintf(finding->seen, sizeof(finding->seen), format, arguments);
	va_end(arguments);
}

void doctor_mend(struct doctor_finding *finding, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(finding->mend, sizeof(finding->mend), format, arguments);
	va_end(arguments);
}

/* The link by which a target was tried. */
static const char *via_of(const struct doctor_subject *subject)
{
	return subject->link && subject->target ? subject->link->name : "";
}

static void keep(struct doctor *doctor, const char *check, const struct doctor_subject *subject,
		 const struct doctor_finding *finding)
{
	const char *via = via_of(subject);
	const struct {
		const char *key;
		const char *text;
	} members[] = {
		{"subject", subject->kind},
		{"name", subject->name},
		{"via", via},
		{"family", subject->of_family ? family_words[subject->family] : ""},
		{"check", check},
		{"verdict", verdict_words[finding->verdict]},
		{"seen", finding->seen},
		{"mend", finding->mend},
	};
	struct json_object *object = json_object_new_object();

	for (size_t i = 0; object && i < sizeof(members) / sizeof(*members); i++)
		json_object_object_add(object, members[i].key,
				       json_object_new_string(members[i].text));
	if (doctor->checks)
		json_object_array_add(doctor->checks, object);
}

/* "dsl ipv4 mtu", as far as it is needed under the subject's head. */
static void print(const char *check, const struct doctor_subject *subject,
		  const struct doctor_finding *finding)
{
	char label[96];
	const char *via = via_of(subject);

	snprintf(label, sizeof(label), "%s%s%s%s%s", via, *via ? " " : "",
		 subject->of_family ? family_words[subject->family] : "",
		 subject->of_family ? " " : "", check);
	printf("  %-4s  %-18s  %s\n", verdict_words[finding->verdict], label, finding->seen);
	if (*finding->mend)
		printf("        %-18s  fix: %s\n", "", finding->mend);
	/* The next may take seconds. */
	fflush(stdout);
}

bool doctor_do(struct doctor *doctor, const struct doctor_check *table,
	       const struct doctor_subject *subject)
{
	for (; table->name; table++) {
		struct doctor_finding finding = {0};

		if (!table->look(doctor, subject, &finding))
			continue;
		keep(doctor, table->name, subject, &finding);
		if (!doctor->json)
			print(table->name, subject, &finding);
		if (finding.verdict > doctor->worst)
			doctor->worst = finding.verdict;
		if (finding.verdict == DOCTOR_FAIL && table->decisive)
			return false;
	}
	return true;
}

void doctor_head(const struct doctor *doctor, const char *kind, const char *name)
{
	if (!doctor->json)
		printf("%s%s%s\n", kind, *name ? " " : "", name);
}

static void print_end(const struct doctor *doctor)
{
	struct json_object *answer;

	if (!doctor->json) {
		static const char *const words[DOCTOR_VERDICTS] = {
			[DOCTOR_OK] = "all is well",
			[DOCTOR_WARN] = "it works, but see the lines that begin with warn",
			[DOCTOR_FAIL] = "something is broken: see the lines that begin with fail",
		};

		puts(words[doctor->worst]);
		return;
	}
	answer = json_object_new_object();
	json_object_object_add(answer, "verdict",
			       json_object_new_string(verdict_words[doctor->worst]));
	json_object_object_add(answer, "checks", json_object_get(doctor->checks));
	puts(json_object_to_json_string_ext(answer, JSON_C_TO_STRING_PLAIN));
	json_object_put(answer);
}

void doctor_print_end(struct doctor *doctor)
{
	print_end(doctor);
	/* Whoever waits for the verdict need not wait for hawserd. */
	fflush(stdout);
	doctor_tell(doctor, verdict_words[doctor->worst]);
}
