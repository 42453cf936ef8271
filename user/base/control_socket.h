/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the control socket is when nobody says otherwise: shared by hawserd and hawser. */
#ifndef HAWSER_BASE_CONTROL_SOCKET_H
#define HAWSER_BASE_CONTROL_SOCKET_H

/* /run/hawser/control.sock for root, else $XDG_RUNTIME_DIR/hawser/control.sock, or
 * /tmp/hawser-UID/control.sock without that variable. Returns out. */
const char *control_default_path(char *out, unsigned int size);

#endif
