-- Tell those who LISTEN.

CREATE FUNCTION iamwatch_internal.notify_alert(alert_id bigint) RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	payload jsonb;
BEGIN
	-- a listener that does not read must not fail the commits of writers
	IF pg_notification_queue_usage() > 0.5 THEN
		RETURN;
	END IF;
	-- under 8000 bytes also if every character takes the six of an escape
	SELECT jsonb_build_object('alert_id', a.alert_id, 'severity', a.severity,
		'provider', a.provider, 'account', left(a.account, 200), 'identity', left(a.identity, 500),
		'operation', left(a.operation, 200), 'surprise', round(a.surprise::numeric, 3),
		'risk', round(a.risk::numeric, 2))
	INTO payload
	FROM iamwatch.alerts AS a JOIN iamwatch.detectors AS d USING (detector)
	WHERE a.alert_id = $1 AND d.notify;
	IF payload IS NOT NULL THEN
		PERFORM pg_notify('iamwatch_alert', payload::text);
	END IF;
END $$;
COMMENT ON FUNCTION iamwatch_internal.notify_alert(bigint) IS
'send a JSON object about an alert on channel iamwatch_alert when the transaction commits; names are cut. Nothing is sent if the detector says so, or while the queue of the server is more than half full';
