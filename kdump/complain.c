// SPDX-License-Identifier: GPL-2.0-or-later
/* Error messages. */
#include <stdarg.h>
#include <stdio.h>

#include "grab.h"

void complain(const char *format, ...)
{
	va_list arguments;

	fputs("lkst-grab: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
}
