/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tells hawserd what was found, for its page. It need not run, nor be new enough to listen. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/control_socket.h"
#include "cli/control_client.h"
#include "doctor/doctor_private.h"

/* Takes the value. False when there is nobody to tell. */
static bool tell(struct connection *connection, const char *key, struct json_object *value)
{
	struct json_object *request = json_object_new_object();
	char line[CONTROL_REQUEST_MAX];
	const char *text;
	int len = 0;

	json_object_object_add(request, "command", json_object_new_string("doctor-tell"));
	json_object_object_add(request, key, value);
	text = json_object_to_json_string_ext(request, JSON_C_TO_STRING_PLAIN);
	if (text)
		len = snprintf(line, sizeof(line), "%s\n", text);
	json_object_put(request);
	/* What is too long is left out. */
	if (len <= 0 || len >= (int)sizeof(line))
		return true;
	return !control_client_ask_line(connection, line);
}

void doctor_tell(struct doctor *doctor, const char *verdict)
{
	struct connection connection = {.fd = -1};
	bool heard = doctor->status && control_client_try(&connection, doctor->control_path);

	heard = heard && tell(&connection, "begin", json_object_new_boolean(true));
	for (size_t i = 0; heard && i < json_object_array_length(doctor->checks); i++)
		heard = tell(&connection, "check",
			     json_object_get(json_object_array_get_idx(doctor->checks, i)));
	if (heard)
		(void)tell(&connection, "verdict", json_object_new_string(verdict));
	control_client_close(&connection);
}
