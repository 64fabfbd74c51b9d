/*
 * letters: prints the table that src/show/letters.c looks letters up in, made from ICU's copy of the Unicode Character Database and of its
 * confusables (UTS 39). Runs when Bawn is built; the program itself does not link ICU.
 *
 * One line for each run of code points that are alike in all of it: { first, bits }. What the bits mean stands in src/show/letters.h.
 */
#include <stdbool.h>
#include <stdio.h>
#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/uspoof.h>
#include <unicode/ustring.h>
#include <unicode/uvernum.h>

#include "show/letters.h"

enum { ROOM = 64 };

static USpoofChecker *spoof;
static const UNormalizer2 *nfkc;

static bool is_ascii(const UChar *text, int32_t len)
{
	for (int32_t i = 0; i < len; i++)
		if (text[i] < 0x21 || text[i] > 0x7e)
			return false;
	return len > 0;
}

/*
 * ASCII in other clothes: its prototype is one such character, or it is a compatibility form of some (a ligature, a letter in a circle). Of what
 * stands between words it may be several, as a curly quotation mark is two apostrophes to Unicode.
 */
static bool looks_like_ascii(UChar32 c)
{
	bool between_words = (U_GET_GC_MASK(c) & (U_GC_P_MASK | U_GC_S_MASK)) != 0;
	UChar text[2], other[ROOM];
	UErrorCode error = U_ZERO_ERROR;
	int32_t len = 0, got;

	U16_APPEND_UNSAFE(text, len, c);
	got = uspoof_getSkeleton(spoof, 0, text, len, other, ROOM, &error);
	if (U_SUCCESS(error) && (got == 1 || between_words) && is_ascii(other, got))
		return true;
	error = U_ZERO_ERROR;
	got = unorm2_normalize(nfkc, text, len, other, ROOM, &error);
	return U_SUCCESS(error) && is_ascii(other, got);
}

static bool is_hidden(UChar32 c)
{
	unsigned category = U_GET_GC_MASK(c);

	return (category & (U_GC_CC_MASK | U_GC_CF_MASK | U_GC_CN_MASK | U_GC_CO_MASK | U_GC_CS_MASK | U_GC_Z_MASK)) != 0 ||
	       u_hasBinaryProperty(c, UCHAR_DEFAULT_IGNORABLE_CODE_POINT) || u_hasBinaryProperty(c, UCHAR_BIDI_CONTROL) ||
	       u_hasBinaryProperty(c, UCHAR_NONCHARACTER_CODE_POINT) || c == 0x2800 || /* a Braille cell without dots */
	       /* What encloses or strikes through its letter makes that hard to read. */
	       (category & U_GC_ME_MASK) != 0 || u_getCombiningClass(c) == 1;
}

static unsigned bits_of(UChar32 c)
{
	unsigned category = U_GET_GC_MASK(c), bits = 0;
	UCharDirection direction = u_charDirection(c);
	int width = u_getIntPropertyValue(c, UCHAR_EAST_ASIAN_WIDTH);

	if (c < 0x80)
		return c < 0x20 || c == 0x7f ? LETTER_HIDDEN : u_isalnum(c) || c == '_' ? LETTER_WORD : 0;
	if (is_hidden(c))
		return LETTER_HIDDEN;
	if (category & (U_GC_L_MASK | U_GC_N_MASK | U_GC_M_MASK | U_GC_PC_MASK))
		bits |= LETTER_WORD;
	if (category & U_GC_M_MASK)
		bits |= LETTER_MARK;
	if (looks_like_ascii(c))
		bits |= LETTER_ALIKE;
	if (category & U_GC_LL_MASK)
		bits |= LETTER_SMALL;
	if (direction == U_RIGHT_TO_LEFT || direction == U_RIGHT_TO_LEFT_ARABIC || direction == U_ARABIC_NUMBER)
		bits |= LETTER_LEFTWARDS;
	if (width == U_EA_WIDE || width == U_EA_FULLWIDTH || u_hasBinaryProperty(c, UCHAR_EMOJI))
		bits |= LETTER_WIDE;
	else if (width == U_EA_AMBIGUOUS)
		bits |= LETTER_PERHAPS_WIDE;
	return bits;
}

int main(void)
{
	UErrorCode error = U_ZERO_ERROR;
	unsigned before = ~0U;

	spoof = uspoof_open(&error);
	nfkc = unorm2_getNFKCInstance(&error);
	if (U_FAILURE(error)) {
		fprintf(stderr, "letters: ICU: %s\n", u_errorName(error));
		return 1;
	}
	printf("/* Unicode " U_UNICODE_VERSION ", made by tools/letters.c. */\n");
	for (UChar32 c = 0; c <= 0x10ffff; c++) {
		unsigned bits = bits_of(c);

		if (bits != before)
			printf("{ 0x%x, 0x%x },\n", (unsigned)c, bits);
		before = bits;
	}
	uspoof_close(spoof);
	return fflush(stdout) == 0 ? 0 : 1;
}
