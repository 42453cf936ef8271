/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Listeners, and the tokens that some take: judged and stored. */
#include <stdlib.h>
#include <string.h>

#include "auth/gate.h"
#include "config/settings_private.h"
#include "http/http_server.h"
#include "proto/exit_line.h"

#define EXPECT_ALLOW                                                                               \
	"a source range, --allow 192.168.1.0/24 or access { allow = { \"192.168.1.0/24\" } }"
#define EXPECT_USER "a user, --user NAME:FILE or user \"NAME\" { password-file = \"FILE\" }"

static int add_tokens(struct config *config, struct listen_config *listen, const struct value *file,
		      const struct value *exit_name)
{
	struct gate **added;
	struct gate *gate;
	int err;

	if (exit_name->name && !exit_is_name(exit_name->text))
		return value_refuse(exit_name, "expected the name of an exit, " EXIT_NAME_EXPECTED);
	added = settings_grow(file, &config->gates, &config->gate_count, sizeof(struct gate *));
	if (!added)
		return -ENOMEM;
	gate = *added = calloc(1, sizeof(*gate));
	if (!gate)
		return value_refuse_no_memory(file);
	err = token_file_read(file->text, &gate->tokens);
	if (err)
		return err;
	/* So it is when the last one was taken away. */
	if (gate->tokens.count == 0)
		log_warning("%s: no token in it, so nobody gets in; 'hawser token new NAME' prints "
			    "one",
			    file->text);
	if (exit_name->name) {
		gate->exit_name = strdup(exit_name->text);
		if (!gate->exit_name)
			return value_refuse_no_memory(file);
	}
	listen->gate = gate;
	return 0;
}

/* What goes together in one section. */
static int check_item(const struct item *item)
{
	const struct value *beside = item->to.name ? &item->to : &item->tokens;

	if (item->listen.metrics && !http_server_is_built())
		return value_refuse(&item->address, "metrics cannot be served: this hawserd was "
						    "built without libmicrohttpd (make HTTP=0)");
	if (item->listen.metrics && (item->listen.transparent || beside->name))
		return value_refuse(&item->address,
				    "a listener for metrics is no proxy; expected to, tokens, "
				    "transparent or metrics, one of them");
	if (item->listen.transparent && beside->name)
		return value_refuse(beside, "a transparent listener goes where its clients want "
					    "to; expected to, tokens or transparent, one of them");
	if (item->tokens.name && item->to.name)
		return value_refuse(&item->tokens,
				    "a forward takes no tokens; expected tokens or to");
	if (item->exit_name.name && !item->tokens.name)
		return value_refuse(&item->exit_name, "of no use alone; expected tokens beside it");
	return 0;
}

/* Refuses what could not be opened, alone or beside the listeners that there are. */
static int check_address(const struct config *config, const struct value *value,
			 const union address *address)
{
	char text[ADDRESS_TEXT_MAX];

	if (address_is_nowhere(address))
		return value_refuse(value, "expected an address that clients can reach, neither "
					   "multicast nor link-local IPv6");
	for (size_t i = 0; i < config->listen_count; i++) {
		const union address *other = &config->listen[i].address;

		if (address_port(other) != address_port(address) ||
		    other->sa.sa_family != address->sa.sa_family)
			continue;
		if (address_same_ip(other, address))
			return value_refuse(value, "a second listener on this address; expected "
						   "one for each");
		if (address_is_any(other) || address_is_any(address))
			return value_refuse(
				value,
				"overlaps the listener on %s; expected another port, or "
				"only one of the two",
				address_format(other, text));
	}
	return 0;
}

int settings_add_listener(struct draft *draft)
{
	struct config *config = draft->config;
	const struct item *item = &draft->item;
	struct listen_config listen = item->listen;
	size_t from_count = config->listen_count;
	struct listen_config *added;
	struct value *from;
	int err = check_item(item);

	if (!err)
		err = value_address(&item->address, NULL, &listen.address);
	listen.forward = item->to.name;
	if (!err && listen.forward)
		err = value_destination(&item->to, NULL, &listen.to);
	if (!err)
		err = check_address(config, &item->address, &listen.address);
	if (err)
		return err;
	from = settings_grow(&item->address, &draft->listen_from, &from_count, sizeof(*from));
	if (!from)
		return -ENOMEM;
	*from = item->address;
	from->text = NULL;
	added = settings_grow(&item->address, &config->listen, &config->listen_count,
			      sizeof(*added));
	if (!added)
		return -ENOMEM;
	*added = listen;
	return item->tokens.name ? add_tokens(config, added, &item->tokens, &item->exit_name) : 0;
}

static int finish_served(struct draft *draft)
{
	struct config *config = draft->config;
	bool served = false;

	for (size_t i = 0; i < config->listen_count; i++) {
		int err;

		if (!config->listen[i].serves_exit)
			continue;
		if (!draft->tokens.name)
			return value_refuse(&draft->listen_from[i],
					    "nobody could use it; expected --tokens FILE as well");
		err = add_tokens(config, &config->listen[i], &draft->tokens, &draft->exit_name);
		if (err)
			return err;
		served = true;
	}
	if (draft->tokens.name && !served)
		return value_refuse(&draft->tokens,
				    "nothing takes them; expected --serve-exit ADDR:PORT as well");
	if (draft->exit_name.name && !served)
		return value_refuse(&draft->exit_name,
				    "no exit to name; expected --serve-exit ADDR:PORT as well");
	return 0;
}

static int add_default_listeners(struct draft *draft)
{
	static const char *const defaults[] = {"127.0.0.1:1080", "[::1]:1080"};
	int err = 0;

	for (size_t i = 0; !err && i < sizeof(defaults) / sizeof(*defaults); i++) {
		const struct value value = {
			.name = "default listener", .typed = defaults[i], .text = defaults[i]};

		settings_begin_item(draft, &value);
		draft->item.address = value;
		draft->item.listen.is_default = true;
		err = settings_add_listener(draft);
	}
	return err;
}

/* No listener may be an open proxy by accident. */
static int check_exposure(const struct draft *draft)
{
	const struct config *config = draft->config;

	if (config->allow_count > 0)
		return 0;
	for (size_t i = 0; i < config->listen_count; i++) {
		const struct listen_config *listen = &config->listen[i];

		/* Who has neither a token nor a password does not get in. A transparent one that is
		 * dialled itself refuses; what is taken to it is for whoever sets the rules. */
		if (address_is_loopback(&listen->address) || listen->gate || listen->transparent ||
		    listen->metrics)
			continue;
		if (listen->forward)
			return value_refuse(&draft->listen_from[i],
					    "not loopback, and a forward cannot ask for a "
					    "password; expected " EXPECT_ALLOW);
		if (config->users.count == 0)
			return value_refuse(
				&draft->listen_from[i],
				"not loopback, it would be an open proxy; expected " EXPECT_ALLOW
				"; or " EXPECT_USER);
	}
	return 0;
}

static int check_metrics(const struct draft *draft)
{
	const struct config *config = draft->config;

	for (size_t i = 0; i < config->listen_count; i++) {
		if (!config->listen[i].metrics)
			continue;
		if (!address_is_loopback(&config->listen[i].address) && !config->metrics.token &&
		    config->metrics.allow_count == 0)
			return value_refuse(
				&draft->listen_from[i],
				"not loopback, so all could see who goes where; expected a token, "
				"--metrics-token FILE or metrics { token-file = \"FILE\" }, or a "
				"source range, --metrics-allow 192.168.1.0/24 or metrics { allow = "
				"{ \"192.168.1.0/24\" } }");
	}
	return 0;
}

/* Who only asks for metrics has said nothing of the others. */
static bool has_proxies(const struct config *config)
{
	for (size_t i = 0; i < config->listen_count; i++)
		if (!config->listen[i].metrics)
			return true;
	return false;
}

int settings_finish_listeners(struct draft *draft)
{
	int err = finish_served(draft);

	if (!err)
		err = check_metrics(draft);
	if (!err && !has_proxies(draft->config))
		err = add_default_listeners(draft);
	return err ? err : check_exposure(draft);
}
