-- All privileges, for a reviewer to read in one place.

REVOKE ALL ON ALL ROUTINES IN SCHEMA iamwatch, iamwatch_internal FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA iamwatch, iamwatch_internal FROM PUBLIC;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA iamwatch, iamwatch_internal FROM PUBLIC;

-- Whoever inserts into a watched table evaluates the WHEN of its trigger.
-- Without USAGE of the schema it cannot be called in any other way; and it
-- only tells whether the caller's own document may be new.
GRANT EXECUTE ON FUNCTION iamwatch_internal.may_be_new(jsonb), iamwatch_internal.may_be_new(jsonb, tid), iamwatch.to_document(text), iamwatch.to_document(json),
	iamwatch.to_document(record, text[]), iamwatch_internal.fields_document(text[], "any") TO PUBLIC;

-- A source is read with the rights of its owner, who so calls what reads a
-- document, in the queries of src/detect/source_queries.c and in no other way.
GRANT EXECUTE ON FUNCTION iamwatch_internal.baseline_key(jsonb), iamwatch_internal.event_details(jsonb), iamwatch.dayset_agg(timestamptz), iamwatch.parse(jsonb),
	iamwatch_internal.stored_days(jsonb, timestamptz, timestamptz), iamwatch_internal.stored_days_rows(bytea), iamwatch_internal.key_filter_passes(bytea, bytea)
	TO PUBLIC;

-- What a role asks of all nodes it asks as itself.
CREATE FUNCTION iamwatch_internal.grant_on_nodes(role regrole, access text) RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF iamwatch_internal.is_coordinator() THEN
		PERFORM iamwatch_internal.order_nodes(format('DO %L', format(
			'BEGIN IF iamwatch_internal.node_number() <> 0 THEN PERFORM iamwatch.grant_access(%L, %L); END IF; END', role, access)),
			format('role %s was given nothing on node %%s', replace(role::text, '%', '%%')), 'Call it again');
	END IF;
END $$;
COMMENT ON FUNCTION iamwatch_internal.grant_on_nodes(regrole, text) IS 'on the coordinator: iamwatch.grant_access() on all other nodes, at once; warns of those where that failed';
REVOKE ALL ON FUNCTION iamwatch_internal.grant_on_nodes(regrole, text) FROM PUBLIC;

CREATE FUNCTION iamwatch.grant_access(role regrole, access text) RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	reading constant text := 'iamwatch.alerts, iamwatch.alert_events, iamwatch.accounts,
		iamwatch.identities, iamwatch.baselines, iamwatch.contexts, iamwatch.operations, iamwatch.instances, iamwatch.instance_history,
		iamwatch.detectors, iamwatch.variations, iamwatch.playbook, iamwatch.sources, iamwatch.providers, iamwatch_internal.column_fields,
		iamwatch.ocsf_findings, iamwatch.ecs_alerts, iamwatch.backfill_progress, iamwatch.backtest_progress,
		iamwatch.incidents, iamwatch.incident_links, iamwatch_internal.current_incidents, iamwatch_internal.kept_incidents,
		iamwatch_internal.changed_incidents, iamwatch_internal.unchanged_incidents, iamwatch_internal.kept_links, iamwatch_internal.links_done, iamwatch.alert_history, iamwatch.excluded_days, iamwatch.suppressions,
		iamwatch_internal.suppressed_alerts, iamwatch.suppression_counts, iamwatch_internal.account_operations, iamwatch_internal.all_alerts,
		iamwatch_internal.withdrawn_alerts, iamwatch.suppressed_alerts, iamwatch.withdrawn_alerts,
		iamwatch.status, iamwatch.source_status, iamwatch_internal.source_counts, iamwatch.nodes, iamwatch_internal.node_counts, iamwatch_internal.given_rows, iamwatch_internal.firewalls, iamwatch.limits, iamwatch.limits_hit';
	pure constant text[] := ARRAY['parse', 'unreadable', 'refusal', 'to_document', 'fields_of',
		'document_expression', 'probability', 'surprise', 'risk', 'risk_steps', 'peer_rate', 'find_operation',
		'session_lock_held', 'backfill_helpers', 'account_bucket', 'alert_lock_key', 'severity_rank', 'is_severity', 'is_alert_status', 'is_resolution', 'is_person', 'kind_name', 'kept_days', 'days', 'count_days',
		'first_day', 'last_day', 'dayset', 'datemultirange', 'dayset_agg', 'dayset_union', 'cache_status', 'context_values',
		'explain', 'explain_json', 'explain_identity', 'explain_score', 'explain_risk', 'raw_events', 'raw_events_of', 'read_by_id',
		'check_source', 'check_relation', 'order_type', 'column_number', 'current_column', 'event_column_of', 'order_column_of',
		'detached_partitions', 'rows_inserted',
		'source_problem', 'observers', 'is_filled_by_triggers', 'owners_without_observe', 'wanted_observers', 'unwatched_children', 'attack_name',
		'plain', 'plain_list', 'find_incidents', 'incidents_of', 'handed_how', 'address_weeks', 'incident_gap', 'computed_incidents', 'is_urgent', 'urgent_most', 'fresh_links', 'linked_incidents', 'link_reason',
		'hands_over', 'no_alert', 'suppression_concerns', 'suppression_covers', 'suppression_preview',
		'short_name', 'summary', 'epoch_ms', 'rfc3339', 'html', 'html_text', 'html_escape',
		'report', 'report_timeline', 'report_strip', 'report_story', 'report_incident', 'report_matrix', 'report_script', 'report_calendar', 'report_usual',
		'report_style', 'readable_sources', 'context_words', 'actor', 'handed', 'how_often', 'number_of', 'some_of', 'all_rights', 'is_indexed', 'identities_acting_as', 'identities_with_keys', 'later_users', 'later_use', 'later_use_line', 'normal_lines', 'playbook_lines', 'proof_lines',
		'related_alerts', 'steps_for', 'told', 'detector_warnings', 'is_restoring', 'must_be_known', 'nearest', 'distance',
		'known_categories', 'known_providers', 'context_kinds', 'check_categories', 'check_service', 'check_criteria', 'explain_incident', 'explain_incident_json', 'why', 'why_json', 'weigh', 'verdict', 'alert_with', 'why_stored',
		'variation', 'faces_internet', 'near_alert', 'near_suppressed', 'scored_as', 'risk_of', 'opens_on_scored_day', 'suppressions_of', 'suppression_of',
		'has_suppressions', 'access_key', 'everywhere', 'has_nodes', 'node_number', 'is_coordinator', 'number_here', 'distribution', 'ask_nodes', 'shared_settings',
		'key_of', 'settings_here', 'node_here', 'shards_by_account', 'read_some', 'baseline_key_fields', 'distributed_sources', 'ask_how_nodes_are', 'accounts_elsewhere', 'some_accounts', 'rows_of_nodes', 'urgent_among', 'links_among', 'incidents_among', 'nodes_seen', 'node_problems', 'shard_counts', 'shards_here', 'shard_named', 'counts_elsewhere'];
	-- and what opens files and messages, which loaders need as well
	opening constant text[] := ARRAY['records', 'open_document', 'wrapped', 'is_record', 'log_entry',
		'cloudtrail_record', 'unwrap_text', 'object_of', 'sentinel_cloudtrail', 'sentinel_gcp', 'elastic_cloudtrail', 'elastic_gcp',
		'event_grid', 'powershell_activity', 'product_record', 'tables_of', 'table_rows'];
	functions text;
BEGIN
	IF access IS NULL OR access NOT IN ('read', 'triage', 'administer', 'load') THEN
		RAISE EXCEPTION 'invalid value for access: %', coalesce(quote_literal(access), 'null')
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Use read, triage, administer or load.';
	END IF;
	IF NOT EXISTS (SELECT FROM pg_roles AS r WHERE r.oid = role) THEN
		RAISE EXCEPTION 'role % does not exist', coalesce(role::oid::text, 'null') USING ERRCODE = 'undefined_object', HINT = 'See pg_roles.';
	END IF;
	PERFORM iamwatch_internal.must_be_owner('grant access');
	PERFORM iamwatch_internal.grant_on_nodes(role, access);
	EXECUTE format('GRANT USAGE ON SCHEMA iamwatch, iamwatch_internal TO %s', role);
	IF access = 'administer' THEN
		EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA iamwatch, iamwatch_internal TO %s', role);
		EXECUTE format('GRANT USAGE ON ALL SEQUENCES IN SCHEMA iamwatch, iamwatch_internal TO %s', role);
		EXECUTE format('GRANT EXECUTE ON ALL ROUTINES IN SCHEMA iamwatch, iamwatch_internal TO %s', role);
		-- the history is written by its trigger alone
		IF role <> (SELECT c.relowner FROM pg_class AS c WHERE c.oid = 'iamwatch.alert_history'::regclass) THEN
			EXECUTE format('REVOKE INSERT, UPDATE, DELETE ON iamwatch.alert_history FROM %s', role);
			-- nor through what it inherits from
			EXECUTE format('REVOKE ALL ON iamwatch_internal.stays_on_node FROM %s', role);
		END IF;
		RETURN;
	END IF;
	IF access <> 'load' THEN
		EXECUTE format('GRANT SELECT ON %s TO %s', reading, role);
	END IF;
	SELECT string_agg(p.oid::regprocedure::text, ', ') INTO functions
	FROM pg_proc AS p
	WHERE p.pronamespace IN ('iamwatch'::regnamespace, 'iamwatch_internal'::regnamespace)
	AND (p.proname = ANY (opening) OR access <> 'load' AND (p.proname = ANY (pure) OR p.proname ~ '^dayset_'))
	AND NOT (p.prorettype = 'void'::regtype AND p.provolatile = 'v');	-- one of the same name that writes
	EXECUTE format('GRANT EXECUTE ON ROUTINE %s TO %s', functions, role);
	IF access = 'triage' THEN
		EXECUTE format('GRANT UPDATE (status, resolution, assignee, note, attack_until) ON iamwatch.alerts TO %s', role);
		EXECUTE format('GRANT EXECUTE ON FUNCTION iamwatch.triage, iamwatch_internal.triage_elsewhere TO %s', role);
		-- author, created_at and alert_id are not theirs to say
		EXECUTE format('GRANT INSERT (reason, detector, provider, account, identity, identity_pattern, service,
			operation, failed, category, source_network, source_host, user_agent_pattern, acting_for, starts_at, expires_at) ON iamwatch.suppressions TO %s', role);
		EXECUTE format('GRANT UPDATE (reason, expires_at, withdrawn_at) ON iamwatch.suppressions TO %s', role);
	END IF;
END $$;
COMMENT ON FUNCTION iamwatch.grant_access(regrole, text) IS
'give a role what it needs to read alerts and baselines (read), to triage alerts and to suppress some as well (triage), to run iamwatch (administer), or to open files and messages by iamwatch.records() and no more (load), which beside INSERT on the table is all that iamwatch_load uses. Rejected documents are for administrators: they can hold anything. 22023 for any other access, 42704 for no role, 42501 for who is not the owner of the extension';
REVOKE ALL ON FUNCTION iamwatch.grant_access(regrole, text) FROM PUBLIC;

-- ALTER DEFAULT PRIVILEGES of whoever installs gives nobody anything here: a role
-- that may create functions in our schemas could put its own in the place of others.
DO $$
DECLARE
	given record;
	ours constant oid[] := '{iamwatch,iamwatch_internal}'::regnamespace[]::oid[];
BEGIN
	FOR given IN
		SELECT o.object, o.grantees FROM (
			SELECT format('SCHEMA %I', n.nspname),
				ARRAY(SELECT a.grantee FROM aclexplode(n.nspacl) AS a WHERE a.grantee <> n.nspowner)
			FROM pg_namespace AS n WHERE n.oid = ANY (ours)
			UNION ALL
			SELECT format('%s %s', CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, c.oid::regclass),
				ARRAY(SELECT a.grantee FROM aclexplode(c.relacl) AS a WHERE a.grantee NOT IN (c.relowner, 0))
			FROM pg_class AS c WHERE c.relnamespace = ANY (ours) AND c.relkind IN ('r', 'v', 'S')
			UNION ALL
			SELECT format('ROUTINE %s', p.oid::regprocedure),
				ARRAY(SELECT a.grantee FROM aclexplode(p.proacl) AS a WHERE a.grantee NOT IN (p.proowner, 0))
			FROM pg_proc AS p WHERE p.pronamespace = ANY (ours)
			UNION ALL
			SELECT format('TYPE %s', t.oid::regtype),
				ARRAY(SELECT a.grantee FROM aclexplode(t.typacl) AS a WHERE a.grantee NOT IN (t.typowner, 0))
			FROM pg_type AS t WHERE t.typnamespace = ANY (ours)) AS o (object, grantees)
		WHERE o.grantees <> '{}'
	LOOP
		EXECUTE format('REVOKE ALL ON %s FROM %s CASCADE', given.object,
			(SELECT string_agg(DISTINCT CASE g WHEN 0 THEN 'PUBLIC' ELSE g::regrole::text END, ', ') FROM unnest(given.grantees) AS g));
	END LOOP;
END $$;
