-- What a constraint of a table that people write refuses is refused with a hint: the comment of the constraint
-- says what is allowed, beside the rule itself.

-- Last of the triggers of a table, as they fire in the order of their names:
-- those before it know more, and what one of them sets is checked too.
CREATE FUNCTION iamwatch_internal.within_constraints() RETURNS trigger
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	row_values constant jsonb := to_jsonb(NEW);
	absent name;
	broken name;
	rule record;
BEGIN
	SELECT a.attname INTO absent FROM pg_attribute AS a
	WHERE a.attrelid = TG_RELID AND a.attnum > 0 AND a.attnotnull AND row_values->a.attname = 'null'
	ORDER BY a.attnum LIMIT 1;
	IF absent IS NOT NULL THEN
		RAISE EXCEPTION '% of % must not be null', absent, TG_RELID::regclass
			USING ERRCODE = 'not_null_violation', SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME, COLUMN = absent,
			DETAIL = format('It is: %s.', coalesce(col_description(TG_RELID, (SELECT a.attnum FROM pg_attribute AS a
				WHERE a.attrelid = TG_RELID AND a.attname = absent)), 'needed')),
			HINT = format('Give %s a value%s.', absent, (SELECT ', or leave it out to have ' || pg_get_expr(d.adbin, d.adrelid)
				FROM pg_attrdef AS d JOIN pg_attribute AS a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
				WHERE a.attrelid = TG_RELID AND a.attname = absent));
	END IF;
	EXECUTE (SELECT format('SELECT CASE %s END FROM (SELECT ($1).*) AS row_to_be',
			string_agg(format('WHEN (%s) IS FALSE THEN %L', pg_get_expr(c.conbin, c.conrelid), c.conname), ' ' ORDER BY c.conname))
		FROM pg_constraint AS c WHERE c.conrelid = TG_RELID AND c.contype = 'c')
	INTO broken USING NEW;
	IF broken IS NOT NULL THEN
		SELECT obj_description(c.oid, 'pg_constraint') AS hint, k.columns, k.only_column, k.said INTO rule
		FROM pg_constraint AS c CROSS JOIN LATERAL (
			SELECT string_agg(a.attname, ', ' ORDER BY a.attnum) AS columns, count(*) = 1 AS only_column,
				string_agg(format('%s is %s', a.attname, coalesce(quote_literal(left(row_values->>a.attname, 200)), 'null')), ', ' ORDER BY a.attnum) AS said
			FROM pg_attribute AS a WHERE a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey)) AS k
		WHERE c.conrelid = TG_RELID AND c.conname = broken;
		RAISE EXCEPTION 'invalid % for % of %', CASE WHEN rule.only_column THEN 'value' ELSE 'values' END, rule.columns, TG_RELID::regclass
			USING ERRCODE = 'check_violation', SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME, CONSTRAINT = broken,
			DETAIL = format('The row has: %s.', rule.said), HINT = rule.hint;
	END IF;
	RETURN NEW;
END $$;
COMMENT ON FUNCTION iamwatch_internal.within_constraints() IS
'trigger: 23502 or 23514 for what a constraint of the table refuses, with the comment of the constraint as hint';

CREATE TRIGGER check_instance BEFORE INSERT OR UPDATE OF provider ON iamwatch.instances
	FOR EACH ROW EXECUTE FUNCTION iamwatch_internal.check_instance();

DO $$
DECLARE
	settings regclass;
BEGIN
	FOREACH settings IN ARRAY '{iamwatch.detectors,iamwatch.variations,iamwatch.operations,iamwatch.providers,iamwatch.limits,iamwatch.playbook,
		iamwatch.suppressions,iamwatch.sources,iamwatch.instances,iamwatch.instance_history}'::regclass[] LOOP
		EXECUTE format('CREATE TRIGGER within_constraints BEFORE INSERT OR UPDATE ON %s
			FOR EACH ROW EXECUTE FUNCTION iamwatch_internal.within_constraints()', settings);
	END LOOP;
END $$;

COMMENT ON CONSTRAINT detectors_detector_check ON iamwatch.detectors IS 'Give it a name, of 1000 bytes at most.';
COMMENT ON CONSTRAINT detectors_title_check ON iamwatch.detectors IS 'Say how its alerts are called.';
COMMENT ON CONSTRAINT detectors_severity_base_check ON iamwatch.detectors IS 'Use informational, low, medium, high or critical.';
COMMENT ON CONSTRAINT detectors_severity_non_user_check ON iamwatch.detectors IS 'Use informational, low, medium, high or critical.';
COMMENT ON CONSTRAINT detectors_severity_internet_facing_check ON iamwatch.detectors IS 'Use informational, low, medium, high or critical.';
COMMENT ON CONSTRAINT detectors_context_kinds_check ON iamwatch.detectors IS 'List kinds of context, not lists of them and no null; set it to null for all.';
COMMENT ON CONSTRAINT detectors_effects_check ON iamwatch.detectors IS 'List some of create, modify, delete, read, not lists of them and no null.';
COMMENT ON CONSTRAINT detectors_tactic_check ON iamwatch.detectors IS 'Write it as ATT&CK does: TA and four digits, such as TA0003.';
COMMENT ON CONSTRAINT detectors_technique_check ON iamwatch.detectors IS 'Write it as ATT&CK does, such as T1098 or T1098.003.';
COMMENT ON CONSTRAINT variations_detector_check ON iamwatch.variations IS 'Use one of iamwatch.detectors.';
COMMENT ON CONSTRAINT variations_applies_to_check ON iamwatch.variations IS 'Use all, non_user or internet_facing.';
COMMENT ON CONSTRAINT variations_variation_check ON iamwatch.variations IS 'Give it a name, or delete the row to have it called by its condition.';
COMMENT ON CONSTRAINT operations_provider_check ON iamwatch.operations IS 'Use aws, azure, gcp or one of iamwatch.providers.';
COMMENT ON CONSTRAINT operations_service_check ON iamwatch.operations IS 'Write it as events have it, or * for any service.';
COMMENT ON CONSTRAINT operations_operation_check ON iamwatch.operations IS 'Write it as events have it, or how it ends with match suffix.';
COMMENT ON CONSTRAINT operations_match_check ON iamwatch.operations IS 'Use exact or suffix.';
COMMENT ON CONSTRAINT operations_category_check ON iamwatch.operations IS 'Use one of those in iamwatch.operations, or a name of your own.';
COMMENT ON CONSTRAINT operations_effect_check ON iamwatch.operations IS 'Use create, modify, delete or read.';
COMMENT ON CONSTRAINT operations_sensitivity_check ON iamwatch.operations IS 'Use a number from 1, low, to 4, a direct foothold or privilege escalation.';
COMMENT ON CONSTRAINT operations_origin_check ON iamwatch.operations IS 'Leave it out: your own rows have user.';
COMMENT ON CONSTRAINT providers_success_values_check ON iamwatch.providers IS 'List the results that mean success, not lists of them and no null.';
COMMENT ON CONSTRAINT limits_value_check ON iamwatch.limits IS 'Use 0 or more; delete the row for no limit.';
COMMENT ON CONSTRAINT limits_percent ON iamwatch.limits IS 'Use 0 to 100 percent; delete the row for no limit.';
COMMENT ON CONSTRAINT playbook_kind_check ON iamwatch.playbook IS 'Use category, technique or operation.';
COMMENT ON CONSTRAINT playbook_name_check ON iamwatch.playbook IS 'Write a category, a technique, or SERVICE:OPERATION, as in iamwatch.alerts.';
COMMENT ON CONSTRAINT playbook_phase_check ON iamwatch.playbook IS 'Use check or contain.';
COMMENT ON CONSTRAINT playbook_place_check ON iamwatch.playbook IS 'Use 1 for the first step, 2 for the second, and so on.';
COMMENT ON CONSTRAINT playbook_origin_check ON iamwatch.playbook IS 'Leave it out: your own rows have user.';
COMMENT ON CONSTRAINT sources_silent_after_check ON iamwatch.sources IS 'Use an interval longer than nothing, such as 26 hours.';
COMMENT ON CONSTRAINT instances_provider_check ON iamwatch.instances IS 'Use aws, azure, gcp or one of iamwatch.providers.';
COMMENT ON CONSTRAINT instances_account_check ON iamwatch.instances IS 'Write the account, project or subscription as events have it.';
COMMENT ON CONSTRAINT instances_instance_id_check ON iamwatch.instances IS 'Write it as events have it: of AWS i-0123456789abcdef0, of Azure the resource id in lower case.';
COMMENT ON CONSTRAINT instances_public_ips_check ON iamwatch.instances IS 'List addresses, not lists of them and no null; {} for none.';
COMMENT ON CONSTRAINT instance_history_valid_check ON iamwatch.instance_history IS 'Use a time that is not empty.';
COMMENT ON CONSTRAINT suppressions_reason_check ON iamwatch.suppressions IS 'Say why, so that whoever reads it later knows.';
COMMENT ON CONSTRAINT suppressions_detector_check ON iamwatch.suppressions IS 'Write it as in iamwatch.alerts, or leave it out for any.';
COMMENT ON CONSTRAINT suppressions_provider_check ON iamwatch.suppressions IS 'Write it as in iamwatch.alerts, or leave it out for any.';
COMMENT ON CONSTRAINT suppressions_account_check ON iamwatch.suppressions IS 'Write it as in iamwatch.alerts, or leave it out for any.';
COMMENT ON CONSTRAINT suppressions_identity_check ON iamwatch.suppressions IS 'Write it as in iamwatch.alerts, or leave it out for any.';
COMMENT ON CONSTRAINT suppressions_service_check ON iamwatch.suppressions IS 'Write it as in iamwatch.alerts, or leave it out for any.';
COMMENT ON CONSTRAINT suppressions_operation_check ON iamwatch.suppressions IS 'Write it as in iamwatch.alerts, or leave it out for any.';
COMMENT ON CONSTRAINT suppressions_category_check ON iamwatch.suppressions IS 'Write it as in iamwatch.alerts, or leave it out for any.';
COMMENT ON CONSTRAINT suppressions_source_host_check ON iamwatch.suppressions IS 'Write it as in the evidence of an alert, or leave it out for any.';
COMMENT ON CONSTRAINT suppressions_acting_for_check ON iamwatch.suppressions IS 'Write it as in the evidence of an alert, or leave it out for any.';
COMMENT ON CONSTRAINT suppressions_identity_pattern_check ON iamwatch.suppressions IS 'Use a pattern as of LIKE, of 1 to 500 characters; % stands for anything.';
COMMENT ON CONSTRAINT suppressions_user_agent_pattern_check ON iamwatch.suppressions IS 'Use a pattern as of LIKE, of 1 to 500 characters; % stands for anything.';
COMMENT ON CONSTRAINT suppressions_says_what ON iamwatch.suppressions IS 'Give account, identity, identity_pattern, service, operation, category, source_network, source_host, user_agent_pattern or acting_for; the others only narrow these.';
COMMENT ON CONSTRAINT suppressions_period ON iamwatch.suppressions IS 'Let it expire after it starts; leave expires_at out to have it hold for good.';
