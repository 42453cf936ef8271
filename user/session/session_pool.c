/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory for sessions, in blocks. One by one they would lie between what is needed for openings
 * only, and each would keep a page of that from going back to the system. */
#include <stdlib.h>
#include <string.h>

#include "session/session_private.h"

/* A burst's last session keeps a block, so not too many. */
#define BLOCK_SESSIONS 16

struct session_block {
	struct session sessions[BLOCK_SESSIONS];
	size_t used;
};

/* What is free is in env->spare, by way of next and link as those in use. */
static void session_put_spare(struct session_env *env, struct session *session)
{
	session->next = env->spare;
	session->link = &env->spare;
	if (session->next)
		session->next->link = &session->next;
	env->spare = session;
}

static void session_take_spare(struct session *session)
{
	*session->link = session->next;
	if (session->next)
		session->next->link = session->link;
}

static bool session_add_block(struct session_env *env)
{
	struct session_block *block = malloc(sizeof(*block));

	if (!block)
		return false;
	block->used = 0;
	for (size_t i = BLOCK_SESSIONS; i-- > 0;) {
		block->sessions[i].block = block;
		session_put_spare(env, &block->sessions[i]);
	}
	return true;
}

struct session *session_alloc(struct session_env *env)
{
	struct session *session;
	struct session_block *block;

	if (!env->spare && !session_add_block(env))
		return NULL;
	session = env->spare;
	session_take_spare(session);
	block = session->block;
	block->used++;
	memset(session, 0, sizeof(*session));
	session->block = block;
	return session;
}

void session_free(struct session_env *env, struct session *session)
{
	struct session_block *block = session->block;

	session_put_spare(env, session);
	if (--block->used > 0)
		return;
	for (size_t i = 0; i < BLOCK_SESSIONS; i++)
		session_take_spare(&block->sessions[i]);
	free(block);
}
