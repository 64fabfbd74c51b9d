/* What a code point looks like to a person at a terminal. The table is made when Bawn is built (tools/letters.c). */
#pragma once

#include <stdint.h>

enum {
	LETTER_HIDDEN = 1,        /* shows nothing, or moves or covers what is around it; or is no character of this Unicode version;
				     it stands alone */
	LETTER_WORD = 2,          /* letters, marks, digits, "_": what words are made of */
	LETTER_MARK = 4,          /* combines with the letter before it */
	LETTER_ALIKE = 8,         /* not ASCII, and looks like ASCII */
	LETTER_SMALL = 16,        /* a lower-case letter that is not ASCII */
	LETTER_LEFTWARDS = 32,    /* written from right to left, as are Arabic numbers */
	LETTER_WIDE = 64,         /* two columns */
	LETTER_PERHAPS_WIDE = 128, /* two columns on a terminal that is set up for Chinese, Japanese or Korean */
};

/* The bits above. */
unsigned letter_bits(int32_t c);
