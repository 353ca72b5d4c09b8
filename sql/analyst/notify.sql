-- Tell those who LISTEN.

CREATE FUNCTION iamwatch_internal.notify_alert(settings iamwatch.detectors, alert iamwatch_internal.all_alerts) RETURNS boolean
	LANGUAGE plpgsql VOLATILE AS $$
BEGIN
	-- a listener that does not read must not fail the commits of writers
	IF NOT settings.notify OR pg_notification_queue_usage() > 0.5 THEN
		RETURN false;
	END IF;
	-- under 8000 bytes also if every character takes the six of an escape
	PERFORM pg_notify('iamwatch_alert', jsonb_build_object('alert_id', alert.alert_id, 'severity', alert.severity,
		'provider', alert.provider, 'account', left(alert.account, 200), 'identity', left(alert.identity, 500),
		'operation', left(alert.operation, 200), 'surprise', round(alert.surprise::numeric, 3),
		'risk', round(alert.risk::numeric, 2))::text);
	RETURN true;
END $$;
COMMENT ON FUNCTION iamwatch_internal.notify_alert(iamwatch.detectors, iamwatch_internal.all_alerts) IS
'send a JSON object about an alert on channel iamwatch_alert when the transaction commits; names are cut. Nothing is sent if the detector says so, or while the queue of the server is more than half full';
