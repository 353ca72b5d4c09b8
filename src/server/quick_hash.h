/*-------------------------------------------------------------------------
 *
 * quick_hash.h
 *		Hashes of strings that hold in this backend alone.
 *
 * The server's hash_bytes_extended() reads a string byte by byte unless it is
 * aligned, and those in jsonb are not: it took a fifth of the time of an event
 * that teaches nothing.  This one multiplies words of the string, each mixed
 * with a key that is drawn by chance in every backend, to twice their length
 * and folds the product, as wyhash does.  Whoever chooses the names in events
 * does not know the keys, so cannot prepare two of one hash.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_QUICK_HASH_H
#define IAMWATCH_QUICK_HASH_H

#include "server/slice.h"

typedef struct QuickKey
{
	uint64		words[3];
} QuickKey;

/* Two, for two hashes of the same string; drawn by quick_hash_init(). */
extern QuickKey quick_keys[2];

/* Before the first hash; draws the keys once. */
extern void quick_hash_init(void);

/* The two halves of the product, one over the other. */
static inline uint64
quick_fold(uint64 x, uint64 y)
{
#ifdef HAVE_INT128
	uint128		product = (uint128) x * y;

	return (uint64) product ^ (uint64) (product >> 64);
#else
	uint64		x_low = (uint32) x;
	uint64		x_high = x >> 32;
	uint64		y_low = (uint32) y;
	uint64		y_high = y >> 32;
	uint64		low = x_low * y_low;
	uint64		middle = x_high * y_low + (low >> 32);
	uint64		carried = x_low * y_high + (uint32) middle;

	return (x * y) ^ (x_high * y_high + (middle >> 32) + (carried >> 32));
#endif
}

static inline uint64
quick_word(const char *s)
{
	uint64		word;

	memcpy(&word, s, sizeof(word));
	return word;
}

/* The first four bytes and the last four of a string of four to eight. */
static inline uint64
quick_short_word(const char *s, int len)
{
	uint32		first;
	uint32		last;

	memcpy(&first, s, sizeof(first));
	memcpy(&last, s + len - sizeof(last), sizeof(last));
	return (uint64) first << 32 | last;
}

/*
 * A seed for strings of one kind, which has a small number.  The number itself is
 * none: whoever knows the numbers of two kinds could choose strings that differ
 * as these do, and the difference would go out.
 */
static inline uint64
quick_seed(unsigned kind, const QuickKey *key)
{
	return (kind + UINT64CONST(1)) * key->words[2];
}

/* The seed is one that nobody knows: another hash, or quick_seed(). */
static inline uint64
quick_hash(Slice slice, uint64 seed, const QuickKey *key)
{
	const char *s = slice.s;
	int			len = slice.len;
	uint64		hash = seed ^ key->words[0];
	uint64		x = 0;
	uint64		y = 0;

	for (; len > 16; s += 16, len -= 16)
		hash = quick_fold(quick_word(s) ^ key->words[1], quick_word(s + 8) ^ hash);

	/* the last words may share bytes */
	if (len > 8)
	{
		x = quick_word(s);
		y = quick_word(s + len - 8);
	}
	else if (len >= 4)
		x = quick_short_word(s, len);
	else
		for (int i = 0; i < len; i++)
			x = x << 8 | (unsigned char) s[i];
	hash = quick_fold(x ^ key->words[1], y ^ hash);
	return quick_fold(hash ^ key->words[2], (uint64) slice.len ^ key->words[1]);
}

/* Of a string alone, by the first of the keys. */
static inline uint64
quick_hash_of_kind(Slice slice, unsigned kind)
{
	return quick_hash(slice, quick_seed(kind, &quick_keys[0]), &quick_keys[0]);
}

#endif							/* IAMWATCH_QUICK_HASH_H */
