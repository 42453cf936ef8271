/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What hawserd and hawser know of the control socket. */
#ifndef HAWSER_BASE_CONTROL_SOCKET_H
#define HAWSER_BASE_CONTROL_SOCKET_H

#define CONTROL_REQUEST_MAX 4096 /* bytes of a request line, with its newline */

/* make RUN_DIR=… */
#ifndef HAWSER_RUN_DIR
#define HAWSER_RUN_DIR "/run"
#endif

/* /run/hawser/control.sock for root, else $XDG_RUNTIME_DIR/hawser/control.sock, or
 * /tmp/hawser-UID/control.sock without that variable. Returns out. */
const char *control_default_path(char *out, unsigned int size);

#endif
