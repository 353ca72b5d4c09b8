/*-------------------------------------------------------------------------
 *
 * compat.h
 *		Differences between major versions of PostgreSQL; nowhere else.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_COMPAT_H
#define IAMWATCH_COMPAT_H

#if PG_VERSION_NUM < 140000
#error "iamwatch needs PostgreSQL 14 or later"
#endif

#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

#if PG_VERSION_NUM < 150000
#define MarkGUCPrefixReserved(prefix) EmitWarningsOnPlaceholders(prefix)
#endif

#if PG_VERSION_NUM < 180000
#define pg_noreturn pg_attribute_noreturn()
#endif

#if PG_VERSION_NUM >= 180000
#define begin_index_scan(table, index, snapshot, nkeys) \
	index_beginscan(table, index, snapshot, NULL, nkeys, 0)
#else
#define begin_index_scan(table, index, snapshot, nkeys) \
	index_beginscan(table, index, snapshot, nkeys, 0)
#endif

/* Of an index alone: its table need not be opened. */
#if PG_VERSION_NUM >= 180000
#define begin_index_probe(index, nkeys) index_beginscan_bitmap(index, SnapshotAny, NULL, nkeys)
#else
#define begin_index_probe(index, nkeys) index_beginscan_bitmap(index, SnapshotAny, nkeys)
#endif

/* A file of this database.  Needs storage/smgr.h. */
#if PG_VERSION_NUM >= 170000
#define open_storage(space, number) \
	smgropen((RelFileLocator) {space, MyDatabaseId, number}, INVALID_PROC_NUMBER)
#elif PG_VERSION_NUM >= 160000
#define open_storage(space, number) \
	smgropen((RelFileLocator) {space, MyDatabaseId, number}, InvalidBackendId)
#else
#define open_storage(space, number) \
	smgropen((RelFileNode) {space, MyDatabaseId, number}, InvalidBackendId)
#endif

/* Neither waits nor raises an error when shared memory is full. */
#if PG_VERSION_NUM >= 180000
#define try_lock_acquire(tag, mode) LockAcquireExtended(tag, mode, false, true, false, NULL, false)
#define try_session_lock_acquire(tag, mode) LockAcquireExtended(tag, mode, true, true, false, NULL, false)
#else
#define try_lock_acquire(tag, mode) LockAcquireExtended(tag, mode, false, true, false, NULL)
#define try_session_lock_acquire(tag, mode) LockAcquireExtended(tag, mode, true, true, false, NULL)
#endif

#if PG_VERSION_NUM >= 170000
#define lock_is_mine(tag, mode) LockHeldByMe(tag, mode, false)
#else
#define lock_is_mine(tag, mode) LockHeldByMe(tag, mode)
#endif

/* A soft error can be asked for, which we do not. */
#if PG_VERSION_NUM >= 160000
#define range_of(type, lower, upper) make_range(type, lower, upper, false, NULL)
#else
#define range_of(type, lower, upper) make_range(type, lower, upper, false)
#endif

#if PG_VERSION_NUM >= 150000
#define analyze_and_rewrite(statement, sql, types, count) \
	pg_analyze_and_rewrite_fixedparams(statement, sql, types, count, NULL)
#else
#define analyze_and_rewrite(statement, sql, types, count) \
	pg_analyze_and_rewrite(statement, sql, types, count, NULL)
#endif

/* All rows, once: only then may it be done in parallel. */
#if PG_VERSION_NUM >= 180000
#define run_executor(desc) ExecutorRun(desc, ForwardScanDirection, 0)
#else
#define run_executor(desc) ExecutorRun(desc, ForwardScanDirection, 0, true)
#endif

/* Needs executor/executor.h. */
#if PG_VERSION_NUM >= 160000
#define init_epq(epq, estate) EvalPlanQualInit(epq, estate, NULL, NIL, -1, NIL)
#else
#define init_epq(epq, estate) EvalPlanQualInit(epq, estate, NULL, NIL, -1)
#endif

/* Needs storage/proc.h. */
#if PG_VERSION_NUM >= 170000
#define my_local_xid() (MyProc->vxid.lxid)
#else
#define my_local_xid() (MyProc->lxid)
#endif

#endif							/* IAMWATCH_COMPAT_H */
