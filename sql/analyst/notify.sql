-- Tell those who LISTEN.

CREATE TABLE iamwatch_internal.unsent_notifications (
	alert_id bigint NOT NULL,
	left_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE iamwatch_internal.unsent_notifications IS
'alerts of which nobody was notified, since the transaction was prepared or the queue of the server was too full; iamwatch.maintain() sends them';
ALTER TABLE iamwatch_internal.unsent_notifications REPLICA IDENTITY FULL;
SELECT pg_catalog.pg_extension_config_dump('iamwatch_internal.unsent_notifications', '');

CREATE FUNCTION iamwatch_internal.may_announce() RETURNS boolean
	AS 'MODULE_PATHNAME', 'iamwatch_may_announce' LANGUAGE C VOLATILE;
COMMENT ON FUNCTION iamwatch_internal.may_announce() IS 'whether the queue of the server has room, by iamwatch.limits';

CREATE FUNCTION iamwatch_internal.notification(alert iamwatch_internal.all_alerts) RETURNS text
	AS 'MODULE_PATHNAME', 'iamwatch_notification' LANGUAGE C STABLE STRICT;
COMMENT ON FUNCTION iamwatch_internal.notification(iamwatch_internal.all_alerts) IS
'what is sent of an alert: a JSON object, in which names are cut. Urgent: whether its incident is, as far as this session knows it';

CREATE FUNCTION iamwatch_internal.notify_alert(settings iamwatch.detectors, alert iamwatch_internal.all_alerts) RETURNS boolean
	AS 'MODULE_PATHNAME', 'iamwatch_notify_alert' LANGUAGE C VOLATILE;
COMMENT ON FUNCTION iamwatch_internal.notify_alert(iamwatch.detectors, iamwatch_internal.all_alerts) IS
'send iamwatch_internal.notification() of an alert on channel iamwatch_alert just before the transaction commits; instead the alert becomes a row of iamwatch_internal.unsent_notifications when the transaction is prepared, or the queue of the server is fuller than iamwatch.limits says. False if the detector says that nothing is sent';

CREATE FUNCTION iamwatch_internal.send_unsent() RETURNS bigint
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	n bigint := 0;
BEGIN
	IF iamwatch_internal.may_announce() THEN
		WITH taken AS (
			DELETE FROM iamwatch_internal.unsent_notifications AS u WHERE u.ctid = ANY (ARRAY(
				SELECT w.ctid FROM iamwatch_internal.unsent_notifications AS w ORDER BY w.left_at, w.alert_id
				LIMIT 1000 FOR UPDATE SKIP LOCKED))
			RETURNING u.alert_id
		)
		SELECT count(coalesce(iamwatch_internal.notify_alert(d, a::iamwatch_internal.all_alerts), true)) INTO n
		FROM (SELECT DISTINCT t.alert_id FROM taken AS t) AS w
		LEFT JOIN iamwatch.alerts AS a ON a.alert_id = w.alert_id
		LEFT JOIN iamwatch.detectors AS d ON d.detector = a.detector;
	END IF;
	RETURN n;
END $$;
COMMENT ON FUNCTION iamwatch_internal.send_unsent() IS
'notify of up to a thousand alerts that nobody was notified of, if the queue has room; how many';
