/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The constants by which the relay decides. */
#include "config/tune.h"

#define TUNE_DEFAULT(member, name, kind, standard, least, most) .member = (standard),

const struct tune tune_default = {TUNE_LIST(TUNE_DEFAULT)};
