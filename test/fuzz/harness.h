/* Between the harness and its stubs of a server. */
#ifndef IAMWATCH_FUZZ_HARNESS_H
#define IAMWATCH_FUZZ_HARNESS_H

#include <setjmp.h>

/* There is no server to have its own. */
#undef fprintf
#undef snprintf
#undef vsnprintf

extern sigjmp_buf harness_error;
extern int	harness_sqlstate;
extern void harness_free_all(void);

#endif							/* IAMWATCH_FUZZ_HARNESS_H */
