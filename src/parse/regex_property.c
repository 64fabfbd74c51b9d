#include "parse/regex_property.h"

#include <errno.h>

/* General_Category: each name of ECMA-262's table, and the short one that PCRE2 reads. */
static const struct {
	const char *name, *pcre2;
} categories[] = {
	{ "Cased_Letter", "L&" },
	{ "LC", "L&" },
	{ "Close_Punctuation", "Pe" },
	{ "Connector_Punctuation", "Pc" },
	{ "Control", "Cc" },
	{ "cntrl", "Cc" },
	{ "Currency_Symbol", "Sc" },
	{ "Dash_Punctuation", "Pd" },
	{ "Decimal_Number", "Nd" },
	{ "digit", "Nd" },
	{ "Enclosing_Mark", "Me" },
	{ "Final_Punctuation", "Pf" },
	{ "Format", "Cf" },
	{ "Initial_Punctuation", "Pi" },
	{ "Letter", "L" },
	{ "Letter_Number", "Nl" },
	{ "Line_Separator", "Zl" },
	{ "Lowercase_Letter", "Ll" },
	{ "Mark", "M" },
	{ "Combining_Mark", "M" },
	{ "Math_Symbol", "Sm" },
	{ "Modifier_Letter", "Lm" },
	{ "Modifier_Symbol", "Sk" },
	{ "Nonspacing_Mark", "Mn" },
	{ "Number", "N" },
	{ "Open_Punctuation", "Ps" },
	{ "Other", "C" },
	{ "Other_Letter", "Lo" },
	{ "Other_Number", "No" },
	{ "Other_Punctuation", "Po" },
	{ "Other_Symbol", "So" },
	{ "Paragraph_Separator", "Zp" },
	{ "Private_Use", "Co" },
	{ "Punctuation", "P" },
	{ "punct", "P" },
	{ "Separator", "Z" },
	{ "Space_Separator", "Zs" },
	{ "Spacing_Mark", "Mc" },
	{ "Surrogate", "Cs" },
	{ "Symbol", "S" },
	{ "Titlecase_Letter", "Lt" },
	{ "Unassigned", "Cn" },
	{ "Uppercase_Letter", "Lu" },
};

static const char *const short_categories[] = {
	"C",  "Cc", "Cf", "Cn", "Co", "Cs", "L",  "Ll", "Lm", "Lo", "Lt", "Lu", "M",  "Mc", "Me", "Mn", "N",  "Nd",
	"Nl", "No", "P",  "Pc", "Pd", "Pe", "Pf", "Pi", "Po", "Ps", "S",  "Sc", "Sk", "Sm", "So", "Z",  "Zl", "Zp", "Zs",
};

/* The binary properties of ECMA-262 by the names that PCRE2 knows as well. */
static const char *const binary[] = {
	"ASCII", "AHex", "ASCII_Hex_Digit", "Alpha", "Alphabetic", "Any", "Bidi_C", "Bidi_Control", "Bidi_M", "Bidi_Mirrored", "CI",
	"Case_Ignorable", "Cased", "CWCF", "Changes_When_Casefolded", "CWCM", "Changes_When_Casemapped", "CWL",
	"Changes_When_Lowercased", "CWT", "Changes_When_Titlecased", "CWU", "Changes_When_Uppercased", "Dash", "DI",
	"Default_Ignorable_Code_Point", "Dep", "Deprecated", "Dia", "Diacritic", "Emoji", "EComp", "Emoji_Component", "EMod",
	"Emoji_Modifier", "EBase", "Emoji_Modifier_Base", "EPres", "Emoji_Presentation", "ExtPict", "Extended_Pictographic", "Ext",
	"Extender", "Gr_Base", "Grapheme_Base", "Gr_Ext", "Grapheme_Extend", "Hex", "Hex_Digit", "IDSB", "IDS_Binary_Operator",
	"IDST", "IDS_Trinary_Operator", "IDC", "ID_Continue", "IDS", "ID_Start", "Ideo", "Ideographic", "Join_C", "Join_Control",
	"LOE", "Logical_Order_Exception", "Lower", "Lowercase", "Math", "NChar", "Noncharacter_Code_Point", "Pat_Syn",
	"Pattern_Syntax", "Pat_WS", "Pattern_White_Space", "QMark", "Quotation_Mark", "Radical", "RI", "Regional_Indicator",
	"STerm", "Sentence_Terminal", "SD", "Soft_Dotted", "Term", "Terminal_Punctuation", "UIdeo", "Unified_Ideograph", "Upper",
	"Uppercase", "VS", "Variation_Selector", "space", "White_Space", "XIDC", "XID_Continue", "XIDS", "XID_Start",
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *category(struct slice name)
{
	for (size_t i = 0; i < COUNT(categories); i++)
		if (slice_eq(name, slice_str(categories[i].name)))
			return categories[i].pcre2;
	for (size_t i = 0; i < COUNT(short_categories); i++)
		if (slice_eq(name, slice_str(short_categories[i])))
			return short_categories[i];
	return NULL;
}

static const char *binary_property(struct slice name)
{
	for (size_t i = 0; i < COUNT(binary); i++)
		if (slice_eq(name, slice_str(binary[i])))
			return binary[i];
	return NULL;
}

/* Names go on to PCRE2 only in letters, digits and underscores; it refuses scripts that it does not know. */
static bool is_name(struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'))
			return false;
	}
	return s.len > 0 && s.len < 64;
}

static bool take_prefix(struct slice *s, const char *prefix)
{
	size_t len = strlen(prefix);

	if (!slice_starts(*s, slice_str(prefix)))
		return false;
	*s = slice_of(s->ptr + len, s->len - len);
	return true;
}

int regex_property(struct slice body, bool negated, struct buf *out)
{
	const char *p = negated ? "\\P" : "\\p";
	const char *name;

	if (take_prefix(&body, "Script_Extensions=") || take_prefix(&body, "scx="))
		return is_name(body) ? buf_printf(out, "%s{scx:%.*s}", p, SLICE_ARG(body)) : -EINVAL;
	if (take_prefix(&body, "Script=") || take_prefix(&body, "sc="))
		return is_name(body) ? buf_printf(out, "%s{sc:%.*s}", p, SLICE_ARG(body)) : -EINVAL;
	if (take_prefix(&body, "General_Category=") || take_prefix(&body, "gc=")) {
		name = category(body);
		return name ? buf_printf(out, "%s{%s}", p, name) : -EINVAL;
	}
	if (slice_eq(body, SLICE("Assigned")))
		return buf_printf(out, "%s{Cn}", negated ? "\\p" : "\\P");
	name = category(body);
	if (!name)
		name = binary_property(body);
	return name ? buf_printf(out, "%s{%s}", p, name) : -EINVAL;
}
