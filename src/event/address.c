/*-------------------------------------------------------------------------
 *
 * address.c
 *		The address in what a log names as the source of a call.
 *
 * Owns which of several addresses counts: proxies append theirs to a list,
 * separated by commas, and Azure writes the port behind an address.  Must never
 * raise an error.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <arpa/inet.h>

#include "event/address.h"
#include "event/field.h"
#include "utils/inet.h"

static bool
read_plain(const char *text, inet *address)
{
	if (inet_pton(AF_INET, text, ip_addr(address)) == 1)
	{
		ip_family(address) = PGSQL_AF_INET;
		ip_bits(address) = 32;
		return true;
	}
	if (inet_pton(AF_INET6, text, ip_addr(address)) == 1)
	{
		ip_family(address) = PGSQL_AF_INET6;
		ip_bits(address) = 128;
		return true;
	}
	return false;
}

/* An address, or one with a port: 192.0.2.1:443, [2001:db8::1]:443. */
static bool
read_address(Slice slice, inet *address)
{
	char		text[64];
	char	   *start = text;
	char	   *end;

	while (slice.len > 0 && *slice.s == ' ')
		slice.s++, slice.len--;
	while (slice.len > 0 && slice.s[slice.len - 1] == ' ')
		slice.len--;
	if (slice.len == 0 || slice.len >= sizeof(text))
		return false;
	memcpy(text, slice.s, slice.len);
	text[slice.len] = '\0';
	if (read_plain(text, address))
		return true;

	if (*text == '[')
	{
		start++;
		end = strchr(text, ']');
	}
	else
		end = strchr(text, ':');
	if (end == NULL)
		return false;
	if (*text == '[' && end[1] == '\0')
	{
		*end = '\0';
		return read_plain(start, address);
	}
	if (*text == '[')
		*end++ = '\0';
	if (*end != ':' || end[1] == '\0' || end[1 + strspn(end + 1, "0123456789")] != '\0')
		return false;
	*end = '\0';
	return read_plain(start, address);
}

static bool
is_public_v4(const unsigned char *a)
{
	return !(a[0] == 0 || a[0] == 10 || a[0] == 127 || a[0] >= 224 ||
			 (a[0] == 100 && (a[1] & 0xC0) == 64) ||
			 (a[0] == 169 && a[1] == 254) ||
			 (a[0] == 172 && (a[1] & 0xF0) == 16) ||
			 (a[0] == 192 && a[1] == 168));
}

/* Not of a network of somebody's own, of this machine or of this link. */
static bool
is_public(const inet *address)
{
	const unsigned char *a = ip_addr(address);
	static const unsigned char mapped[12] = {[10] = 0xFF, [11] = 0xFF};

	if (ip_family(address) == PGSQL_AF_INET)
		return is_public_v4(a);
	if (memcmp(a, mapped, sizeof(mapped)) == 0)
		return is_public_v4(a + sizeof(mapped));
	for (int i = 0; i < 15; i++)
		if (a[i] != 0)
			return (a[0] & 0xFE) != 0xFC && a[0] != 0xFF && !(a[0] == 0xFE && (a[1] & 0xC0) == 0x80);
	return false;				/* ::, ::1, and what is never given out beside them */
}

Datum
source_address(Slice source, bool *isnull)
{
	inet	   *address = palloc0(sizeof(inet));
	inet	   *first = NULL;

	*isnull = true;
	for (int start = 0; source.s != NULL && start <= source.len;)
	{
		int			comma = slice_find(source, ',', start);
		int			end = comma < 0 ? source.len : comma;

		if (read_address((Slice) {source.s + start, end - start}, address))
		{
			SET_INET_VARSIZE(address);
			*isnull = false;
			if (is_public(address))
				return InetPGetDatum(address);
			if (first == NULL)
			{
				first = address;
				address = palloc0(sizeof(inet));
			}
		}
		start = end + 1;
	}
	return *isnull ? (Datum) 0 : InetPGetDatum(first);
}
