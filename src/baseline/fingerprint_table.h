/*-------------------------------------------------------------------------
 *
 * fingerprint_table.h
 *		A hash table by fingerprint.
 *
 * A template, as lib/simplehash.h is: define SH_PREFIX and SH_ELEMENT_TYPE, a
 * struct with a Fingerprint key and a uint32 status, and include it, once for
 * each table.  Fingerprints are hashes already, so a part of one serves.
 *
 *-------------------------------------------------------------------------
 */
#define SH_KEY_TYPE Fingerprint
#define SH_KEY key
#define SH_HASH_KEY(tb, key) ((uint32) (key).a)
#define SH_EQUAL(tb, x, y) ((x).a == (y).a && (x).b == (y).b)
#define SH_SCOPE static inline
#define SH_DEFINE
#define SH_DECLARE
#include "lib/simplehash.h"
