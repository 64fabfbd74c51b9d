#include "parse/format.h"

#include "parse/format_check.h"
#include "parse/regex.h"

static const struct {
	const char *name, *what;
	bool (*check)(struct slice s); /* NULL: refused */
} formats[] = {
	{ "date", "a date (RFC 3339)", format_date },
	{ "time", "a time with its offset (RFC 3339)", format_time },
	{ "date-time", "a date and time with its offset (RFC 3339)", format_date_time },
	{ "duration", "a duration (RFC 3339, appendix A)", format_duration },
	{ "email", "an e-mail address", format_email },
	{ "idn-email", "an e-mail address", format_idn_email },
	{ "hostname", "a host name", format_hostname },
	{ "idn-hostname", "a host name", NULL },
	{ "ipv4", "an IPv4 address", format_ipv4 },
	{ "ipv6", "an IPv6 address", format_ipv6 },
	{ "uri", "a URI", format_uri },
	{ "uri-reference", "a URI reference", format_uri_reference },
	{ "iri", "an IRI", format_iri },
	{ "iri-reference", "an IRI reference", format_iri_reference },
	{ "uri-template", "a URI template", format_uri_template },
	{ "uuid", "a UUID", format_uuid },
	{ "json-pointer", "a JSON Pointer", format_json_pointer },
	{ "relative-json-pointer", "a relative JSON Pointer", format_relative_json_pointer },
	{ "regex", "a regular expression (ECMA-262)", regex_valid },
};

int format_find(struct slice name)
{
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		if (slice_eq(name, slice_str(formats[i].name)))
			return formats[i].check ? (int)i : FORMAT_REFUSED;
	return FORMAT_UNKNOWN;
}

bool format_check(int format, struct slice s)
{
	return formats[format].check(s);
}

size_t format_steps(int format, size_t len)
{
	/* A pattern is checked by writing it anew, which costs more by far than looking at it. */
	return formats[format].check == regex_valid ? 128 + 8 * len : len / 8;
}

const char *format_what(int format)
{
	return formats[format].what;
}
