"""A second detector is rows: the same alerts of it by trigger, backfill() and backtest()."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from harness import Database, finish, ok

SETUP = """
CREATE EXTENSION iamwatch;
CREATE TABLE log (event jsonb);
INSERT INTO iamwatch.operations (provider, service, operation, category, effect, sensitivity)
VALUES ('aws', 'kms', 'GetPublicKey', 'key', 'read', 2), ('aws', 'kms', 'ScheduleKeyDeletion', 'key', 'delete', 3)
ON CONFLICT DO NOTHING;
INSERT INTO iamwatch.detectors (detector, title, tactic, deduplication_days, categories, effects)
VALUES ('unusual_key_activity', 'Unusual key management activity', 'TA0006', 1, '{key}', '{create,modify,delete,read}');
CREATE FUNCTION e(at timestamptz, who text, service text, operation text) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object('eventTime', to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), 'eventName', operation,
        'eventSource', service || '.amazonaws.com', 'eventID', md5(at || who || operation), 'recipientAccountId', '1',
        'userIdentity', jsonb_build_object('type', 'IAMUser', 'arn', 'arn:aws:iam::1:user/' || who)) $$;
"""
LOAD = """
INSERT INTO log SELECT e(d + n * interval '1 minute', 'user' || n, 's3', 'ListBuckets')
FROM generate_series('2026-01-01T08:00Z'::timestamptz, '2026-03-01', '1 day') AS d, generate_series(1, 5) AS n;
INSERT INTO log SELECT e(d, 'user1', 'kms', 'GetPublicKey') FROM generate_series('2026-01-01T09:00Z'::timestamptz, '2026-03-01', '2 days') AS d;
INSERT INTO log SELECT e('2026-02-20T10:00Z'::timestamptz + n * interval '13 hours', 'user' || (2 + n % 3), 'kms', o)
FROM generate_series(0, 11) AS n, unnest('{GetPublicKey,ScheduleKeyDeletion}'::text[]) AS o;
INSERT INTO log SELECT e('2026-02-25T11:00Z', 'user4', 'iam', 'CreateUser');
"""
ALERTS = ("SELECT {}identity, operation, first_event_time, last_event_time, event_count, severity, variation, technique, probability, risk"
          " FROM {} ORDER BY 1, 2, 3, 4;")
COLUMNS = "detector, tactic, "

stream = Database("iamwatch_detectors")
stream.create()
stream.psql(SETUP + "SELECT iamwatch.watch('log');" + LOAD)
batch = Database("iamwatch_detectors_batch")
batch.create()
batch.psql(SETUP + LOAD + "CALL iamwatch.backfill('log');")

raised = stream.psql(ALERTS.format(COLUMNS, "iamwatch.alerts"))
of_keys = [line for line in raised.splitlines() if line.startswith("unusual_key_activity|TA0006|")]
ok(len(of_keys) > 5 and len(of_keys) < len(raised.splitlines()), "detectors: a trigger raises alerts of both", raised)
ok(any("GetPublicKey" in line for line in of_keys), "detectors: reads among them")
filled = batch.psql(ALERTS.format(COLUMNS, "iamwatch.alerts"))
ok(filled == raised, "detectors: backfill() raises the same, risk included", filled)
for detector in ("unusual_key_activity", "unusual_iam_activity"):
    tried = stream.psql(ALERTS.format("", f"iamwatch.backtest('log', detector => '{detector}')"))
    now = stream.psql(ALERTS.format("", f"iamwatch.alerts WHERE detector = '{detector}'"))
    ok(tried == now and now, f"detectors: backtest() finds those of {detector}", tried)
stream.drop()
batch.drop()
finish()
