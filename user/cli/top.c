/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hawser top: a full-screen view of links, sessions and one session's subflows. */
#include <inttypes.h>
#include <ncurses.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "cli/commands.h"
#include "cli/control_client.h"
#include "cli/die.h"
#include "cli/show.h"
#include "cli/table.h"

/* Rows that sessions get at least, if there are so many, before links and subflows do. */
#define SESSION_ROWS_MIN 3

#define REFRESH_S 1.

struct row {
	struct json_object *session; /* of the answer */
	uint64_t bytes;
	double rate; /* bytes per second since the last refresh */
};

struct top {
	struct connection connection;
	struct json_object *links;
	struct json_object *exits;
	struct json_object *sessions;
	struct json_object *detail; /* of the selected session; NULL: none */
	struct row *rows;	    /* sorted by rate */
	size_t row_count;
	uint64_t selected; /* a session's number, 0: the first row's */
	double asked_s;
	int line; /* that is drawn next */
};

static volatile sig_atomic_t leaving;
static bool on_screen;

static void on_signal(int number)
{
	(void)number;
	leaving = 1;
}

static void leave_screen(void)
{
	if (on_screen)
		endwin();
	on_screen = false;
}

/* The fastest first, then the newest. */
static int compare_rows(const void *a, const void *b)
{
	const struct row *x = a;
	const struct row *y = b;

	if (x->rate != y->rate)
		return x->rate < y->rate ? 1 : -1;
	return json_count(x->session, "id") < json_count(y->session, "id") ? 1 : -1;
}

/* Both answers are sorted by number. */
static void make_rows(struct top *top, struct json_object *answer, double seconds)
{
	struct json_object *list = json_member(answer, "sessions");
	struct json_object *before = json_member(top->sessions, "sessions");
	size_t count = json_length(list);
	size_t j = 0;

	free(top->rows);
	top->rows = count ? calloc(count, sizeof(*top->rows)) : NULL;
	top->row_count = top->rows ? count : 0;
	for (size_t i = 0; i < top->row_count; i++) {
		struct row *row = &top->rows[i];
		struct json_object *old;
		uint64_t was;

		row->session = json_object_array_get_idx(list, i);
		row->bytes = json_count(row->session, "bytes_up") +
			     json_count(row->session, "bytes_down");
		while (j < json_length(before) && json_count(json_object_array_get_idx(before, j),
							     "id") < json_count(row->session, "id"))
			j++;
		old = j < json_length(before) ? json_object_array_get_idx(before, j) : NULL;
		if (!old || json_count(old, "id") != json_count(row->session, "id") || seconds <= 0)
			continue;
		was = json_count(old, "bytes_up") + json_count(old, "bytes_down");
		row->rate = row->bytes > was ? (double)(row->bytes - was) / seconds : 0;
	}
	if (top->rows)
		qsort(top->rows, top->row_count, sizeof(*top->rows), compare_rows);
	json_object_put(top->sessions);
	top->sessions = answer;
}

/* The row of the selected session, or the first. */
static size_t selected_row(const struct top *top)
{
	for (size_t i = 0; i < top->row_count; i++)
		if (json_count(top->rows[i].session, "id") == top->selected)
			return i;
	return 0;
}

/* NULL when hawserd does not know the session any more. */
static struct json_object *ask(struct top *top, const char *command, uint64_t id)
{
	const char *problem = control_client_ask(&top->connection, command, id);

	if (problem && (!id || !top->connection.answer))
		die("hawserd on %s: %s", top->connection.path, problem);
	if (problem)
		return NULL;
	return json_object_get(top->connection.answer);
}

static void ask_detail(struct top *top)
{
	json_object_put(top->detail);
	top->detail = NULL;
	if (top->row_count > 0)
		top->detail =
			ask(top, "session", json_count(top->rows[selected_row(top)].session, "id"));
}

static void ask_all(struct top *top)
{
	const double now_s = clock_monotonic_s();

	json_object_put(top->links);
	top->links = ask(top, "links", 0);
	json_object_put(top->exits);
	top->exits = ask(top, "exits", 0);
	make_rows(top, ask(top, "sessions", 0), now_s - top->asked_s);
	top->asked_s = now_s;
	ask_detail(top);
}

/* One line of the screen, cut at its edge; nothing below its bottom. */
__attribute__((format(printf, 3, 4))) static void draw(struct top *top, attr_t attributes,
						       const char *format, ...)
{
	char text[512];
	va_list arguments;

	if (top->line >= LINES)
		return;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	attrset(attributes);
	mvaddnstr(top->line++, 0, text, COLS);
	/* A bar goes to the edge. */
	if (attributes & A_REVERSE)
		while (getcurx(stdscr) < COLS - 1 && getcury(stdscr) == top->line - 1)
			addch(' ');
	attrset(A_NORMAL);
}

static double mbit(double bytes_per_s)
{
	return bytes_per_s * 8e-6;
}

static void draw_links(struct top *top, size_t max)
{
	struct json_object *list = json_member(top->links, "links");

	draw(top, A_REVERSE, "%-12s %-8s %-11s %9s %9s %9s %9s", "LINK", "ROLE", "STATE", "RX/1S",
	     "TX/1S", "RX/1MIN", "TX/1MIN");
	for (size_t i = 0; i < json_length(list) && i < max; i++) {
		struct json_object *link = json_object_array_get_idx(list, i);
		struct json_object *second = json_member(link, "rate_1s");
		struct json_object *minute = json_member(link, "rate_1min");

		draw(top, A_NORMAL, "%-12.12s %-8.8s %-11.11s %9.1f %9.1f %9.1f %9.1f",
		     json_text(link, "name"), json_text(link, "role"), json_text(link, "state"),
		     mbit((double)json_count(second, "rx")), mbit((double)json_count(second, "tx")),
		     mbit((double)json_count(minute, "rx")),
		     mbit((double)json_count(minute, "tx")));
	}
}

static void draw_session(struct top *top, size_t index)
{
	const struct row *row = &top->rows[index];
	char bytes[FIGURE_TEXT_MAX];

	draw(top, index == selected_row(top) ? A_BOLD : A_NORMAL,
	     "%c%7" PRIu64 " %-21.21s %-24.24s %2" PRIu64 " %9.1f %9s",
	     index == selected_row(top) ? '>' : ' ', json_count(row->session, "id"),
	     json_text(row->session, "client"), json_text(row->session, "destination"),
	     json_count(row->session, "upstream_subflows"), mbit(row->rate),
	     figure_bytes(bytes, row->bytes, ""));
}

static void draw_sessions(struct top *top, size_t max)
{
	size_t first = 0;

	draw(top, A_REVERSE, "%8s %-21s %-24s %2s %9s %9s", "SESSION", "CLIENT", "DESTINATION",
	     "SF", "MBIT/S", "BYTES");
	if (selected_row(top) >= max)
		first = selected_row(top) - max + 1;
	for (size_t i = first; i < top->row_count && i < first + max; i++)
		draw_session(top, i);
}

static void draw_subflows(struct top *top, size_t max)
{
	struct json_object *list = json_member(top->detail, "subflows");

	draw(top, A_REVERSE, "%-8s %-10s %-21s %8s %5s %8s %8s %5s", "LEG", "LINK", "LOCAL",
	     "RTT/MS", "CWND", "SENT", "RECEIVED", "RETR");
	for (size_t i = 0; i < json_length(list) && i < max; i++) {
		struct json_object *subflow = json_object_array_get_idx(list, i);
		const char *link = json_text(subflow, "link");
		char sent[FIGURE_TEXT_MAX];
		char received[FIGURE_TEXT_MAX];

		draw(top, A_NORMAL, "%-8.8s %-10.10s %-21.21s %8.1f %5" PRIu64 " %8s %8s %5" PRIu64,
		     json_text(subflow, "leg"), *link ? link : "-", json_text(subflow, "local"),
		     (double)json_count(subflow, "rtt_us") / 1e3, json_count(subflow, "cwnd"),
		     figure_bytes(sent, json_count(subflow, "bytes_sent"), ""),
		     figure_bytes(received, json_count(subflow, "bytes_received"), ""),
		     json_count(subflow, "retransmissions"));
	}
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static void draw_all(struct top *top)
{
	/* The title and the three headers are always there. */
	size_t room = LINES > 4 ? (size_t)LINES - 4 : 0;
	size_t sessions = least(least(top->row_count, SESSION_ROWS_MIN), room);
	size_t links = least(json_length(json_member(top->links, "links")), room - sessions);
	size_t subflows =
		least(json_length(json_member(top->detail, "subflows")), room - sessions - links);
	size_t exits = json_length(json_member(top->exits, "exits"));
	char exit_text[64] = "";
	char trouble[EXITS_TROUBLE_MAX];

	erase();
	top->line = 0;
	if (exits > 0)
		snprintf(exit_text, sizeof(exit_text), ", %zu of %zu exits up",
			 count_exits_up(top->exits), exits);
	draw(top, A_BOLD, "hawser: %zu sessions, %zu links%s   up, down: session; q: quit",
	     top->row_count, json_length(json_member(top->links, "links")), exit_text);
	if (exits_trouble(top->exits, trouble, sizeof(trouble))) {
		draw(top, A_BOLD, "exits: %s", trouble);
		room -= room > sessions + links + subflows;
	}
	draw_links(top, links);
	draw_sessions(top, room - links - subflows);
	/* At the bottom, unless there is no room for that. */
	if (top->line < LINES - (int)subflows - 1)
		top->line = LINES - (int)subflows - 1;
	draw_subflows(top, subflows);
	refresh();
}

static void select_row(struct top *top, int step)
{
	size_t row = selected_row(top);

	if (top->row_count == 0 || (step < 0 && row == 0))
		return;
	row = least(row + (size_t)step, top->row_count - 1);
	top->selected = json_count(top->rows[row].session, "id");
	ask_detail(top);
}

/* One key, or none until the next refresh. */
static void take_key(struct top *top, double refresh_s)
{
	double left_s = top->asked_s + refresh_s - clock_monotonic_s();

	timeout(left_s > 0 ? (int)(left_s * 1000) + 1 : 0);
	switch (getch()) {
	case 'q':
		leaving = 1;
		break;
	case KEY_UP:
	case 'k':
		select_row(top, -1);
		break;
	case KEY_DOWN:
	case 'j':
		select_row(top, 1);
		break;
	case KEY_RESIZE: /* what a terminal has made of its content then is anybody's guess */
		clearok(curscr, true);
		break;
	default:
		break;
	}
	if (clock_monotonic_s() >= top->asked_s + refresh_s)
		ask_all(top);
}

int top_main(const struct command *command, int argc, char **argv)
{
	static const struct usage usage = {.options = CLI_TAKES(CLI_CONTROL) | CLI_TAKES(CLI_WATCH),
					   .words = ""};
	const struct sigaction leave = {.sa_handler = on_signal};
	struct top top = {0};
	struct arguments arguments;

	arguments_parse(&arguments, command, argc, argv, &usage);
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		die_usage(command->name, "expected a terminal; the other commands need none");
	control_client_open(&top.connection, arguments.control);
	ask_all(&top); /* before the screen is taken, for its errors */
	initscr();
	on_screen = true;
	atexit(leave_screen);
	die_prepare = leave_screen;
	/* After initscr(), which has handlers of its own that would end the program. */
	sigaction(SIGINT, &leave, NULL);
	sigaction(SIGTERM, &leave, NULL);
	cbreak();
	noecho();
	keypad(stdscr, true);
	curs_set(0);
	while (!leaving) {
		draw_all(&top);
		take_key(&top, arguments.watch_s > 0 ? arguments.watch_s : REFRESH_S);
	}
	leave_screen();
	control_client_close(&top.connection);
	free(top.rows);
	json_object_put(top.links);
	json_object_put(top.exits);
	json_object_put(top.sessions);
	json_object_put(top.detail);
	return EXIT_SUCCESS;
}
