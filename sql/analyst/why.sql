-- Why an event did, or did not, raise an alert: the same rules and the same
-- functions as the trigger, asked of one document.  Writes nothing.

-- With the owner's rights, so that whoever may read the baselines by their
-- views gets the counts as well; it tells nothing that those do not.
CREATE FUNCTION iamwatch_internal.weigh(detector text, event iamwatch.event, access_key text) RETURNS jsonb
	LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
#variable_conflict use_variable
DECLARE
	settings iamwatch.detectors;
	training iamwatch.detectors;
	o constant iamwatch.operations := iamwatch.find_operation(event.provider, event.service, event.operation);
	ids constant iamwatch_internal.ids := iamwatch_internal.ids_of(event);
	day constant date := (event.event_time AT TIME ZONE 'UTC')::date;
	midnight constant timestamptz := day::timestamp AT TIME ZONE 'UTC';
	started timestamptz;
	newest date;
	kinds integer;
	first_days iamwatch.dayset;
	did iamwatch.dayset;
	active_from timestamptz;
	score iamwatch_internal.score;
	context jsonb;
	probability double precision;
BEGIN
	SELECT d.* INTO settings FROM iamwatch.detectors AS d WHERE d.detector = detector;
	SELECT min(h.first_event_time), max(h.newest_day) INTO started, newest
	FROM (
		SELECT a.first_event_time, a.newest_day FROM iamwatch_internal.accounts AS a
		WHERE hashtextextended(a.account, 0) = hashtextextended(event.account, 0)
		AND a.account = event.account AND a.provider = event.provider
		UNION ALL
		SELECT j.first_event_time, last_day(j.days) FROM iamwatch_internal.journal AS j
		WHERE hashtextextended(j.account, 0) = hashtextextended(event.account, 0)
		AND j.account = event.account AND j.provider = event.provider AND j.identity IS NULL) AS h;
	SELECT bit_or(w.kinds), dayset_union(w.first_days), coalesce(dayset_union(w.did), '{}') INTO kinds, first_days, did
	FROM (
		SELECT i.kinds, i.first_days, (SELECT d.days FROM iamwatch_internal.behaviour_days AS d WHERE d.account_id = ids.account_id
			AND d.operation_id = ids.operation_id AND d.identity_id = ids.identity_id) AS did
		FROM iamwatch_internal.identity_days AS i
		WHERE i.account_id = ids.account_id AND i.identity_id = ids.identity_id
		UNION ALL
		SELECT j.kinds, j.days, CASE WHEN j.operation = event.operation AND j.service = event.service
			AND j.failed = event.failed THEN j.days END
		FROM iamwatch_internal.journal AS j
		WHERE hashtextextended(j.account, 0) = hashtextextended(event.account, 0)
		AND hashtextextended(j.identity, 0) = hashtextextended(event.identity, 0)
		AND j.account = event.account AND j.provider = event.provider AND j.identity = event.identity) AS w;
	active_from := LEAST(started, event.event_time) + settings.activation_days * interval '24 hours';

	-- the counts of the probability are those of a risk that looks back on the training period
	training := settings;
	training.memory_days := settings.training_days;
	training.peer_memory_days := settings.training_days;
	score := iamwatch_internal.with_risk(training, event, ids, score);
	score.k := count_days(did - iamwatch_internal.excluded(event.provider, event.account, event.identity,
		event.service, event.operation, event.failed), day - settings.training_days, day - 1);
	score.active := score.risk_active;
	-- the tallies may be of another moment than the days: triage, or another session
	score.peer_active := GREATEST(score.risk_peer_active, 0);
	score.peer_days := LEAST(GREATEST(score.risk_peer_days, 0), score.peer_active);
	probability := iamwatch.probability(score.k, score.active, score.peer_days, score.peer_active);
	context := iamwatch_internal.context_of(event, ids, settings.training_days, score.active, access_key);
	score := iamwatch_internal.with_risk(settings, event, ids, score);
	score.risk_peer_active := GREATEST(score.risk_peer_active, 0);
	score.risk_peer_days := LEAST(GREATEST(score.risk_peer_days, 0), score.risk_peer_active);
	score.risk_peer_iam_days := LEAST(GREATEST(score.risk_peer_iam_days, 0), score.risk_peer_active);

	RETURN jsonb_build_object(
		'account', jsonb_build_object('first_event_time', started, 'newest_day', newest,
			'learns_until', active_from, 'kept_days', iamwatch_internal.kept_days()),
		'late', coalesce(day < newest - iamwatch_internal.kept_days(), false),
		'in_activation', event.event_time < active_from,
		'training_days', settings.training_days,
		'k', score.k, 'A', score.active, 'K', score.peer_days, 'N', score.peer_active,
		'newcomer', iamwatch_internal.is_newcomer(coalesce(first_days, '{}'), day),
		'context', context, 'context_bits', iamwatch_internal.bits_of_context(settings, context),
		'probability', iamwatch_internal.in_context(settings, probability, context),
		'probability_limit', settings.probability_limit,
		'surprise', iamwatch.surprise(iamwatch_internal.in_context(settings, probability, context)),
		'risk', iamwatch_internal.risk_of(settings, score, o.sensitivity, context),
		'risk_counts', iamwatch_internal.risk_evidence(score),
		'memory_days', settings.memory_days, 'peer_memory_days', settings.peer_memory_days,
		'least_risk', settings.least_risk,
		'day_learned', did @> day,
		-- of these days every event is tested anew: see score_batch.c
		'day_tested_anew', active_from > midnight AND active_from < midnight + interval '24 hours'
			OR coalesce(iamwatch_internal.is_of_both_classes(kinds), false),
		'alerts_left', CASE WHEN score.active = 0 THEN iamwatch_internal.limit_room('alerts',
			iamwatch_internal.limit_scope(event.provider, event.account), day) END);
END $$;
COMMENT ON FUNCTION iamwatch_internal.weigh(text, iamwatch.event, text) IS
'what the trigger would count of an event for a detector, from the days before its own, and what follows; null numbers if the operation is not in the catalogue';

-- The alert, suppressed or not, that has an event among its own.
CREATE FUNCTION iamwatch_internal.alert_with(detector text, event iamwatch.event) RETURNS iamwatch_internal.all_alerts
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
#variable_conflict use_variable
DECLARE
	found_alert iamwatch_internal.all_alerts;
BEGIN
	SELECT a.* INTO found_alert FROM iamwatch_internal.all_alerts AS a
	WHERE hashtextextended(a.identity, 0) = hashtextextended(event.identity, 0)
	AND a.identity = event.identity AND a.operation = event.operation AND a.service = event.service
	AND a.failed = event.failed AND a.account = event.account AND a.provider = event.provider
	AND a.detector = detector
	AND EXISTS (SELECT FROM iamwatch.alert_events AS x WHERE x.alert_id = a.alert_id AND x.event_time = event.event_time
		AND x.event_id IS NOT DISTINCT FROM event.event_id)
	ORDER BY a.alert_id LIMIT 1;
	RETURN found_alert;
END $$;
COMMENT ON FUNCTION iamwatch_internal.alert_with(text, iamwatch.event) IS
'the alert of a detector, suppressed or not, that has the event among its own; null if none has';

-- What a detector makes of an event of an operation that it watches: in the
-- order of assign_to_alerts().
CREATE FUNCTION iamwatch_internal.verdict(settings iamwatch.detectors, event iamwatch.event, weighed jsonb, stored boolean)
	RETURNS jsonb
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
#variable_conflict use_variable
DECLARE
	period constant interval := settings.deduplication_days * interval '24 hours';
	midnight constant timestamptz := date_trunc('day', event.event_time, 'UTC');
	own constant iamwatch_internal.all_alerts := iamwatch_internal.alert_with(settings.detector, event);
	verb constant text := CASE WHEN stored THEN 'did' ELSE 'would' END;
	c iamwatch_internal.candidate;
	near iamwatch_internal.all_alerts;
	hidden iamwatch_internal.suppressed_alerts;
	hidden_by bigint;
	follows boolean;
	unusual boolean := (weighed->>'probability')::float8 < settings.probability_limit;
	p constant text := round((weighed->>'probability')::numeric, 6);
	risk double precision := weighed->>'risk';
BEGIN
	IF own.alert_id IS NOT NULL THEN
		SELECT s.suppression_id INTO hidden_by FROM iamwatch_internal.suppressed_alerts AS s WHERE s.alert_id = own.alert_id;
		IF hidden_by IS NOT NULL THEN
			RETURN jsonb_build_object('verdict', 'suppressed', 'alert_id', own.alert_id, 'suppression_id', hidden_by,
				'because', format('suppression %s hid it: it is counted in the suppressed alert %s', hidden_by, own.alert_id));
		ELSIF own.first_event_time = event.event_time AND NOT EXISTS (SELECT FROM iamwatch.alert_events AS x
			WHERE x.alert_id = own.alert_id AND x.event_time = event.event_time
			AND x.event_id COLLATE "C" < event.event_id COLLATE "C") THEN
			RETURN jsonb_build_object('verdict', 'raised', 'alert_id', own.alert_id,
				'because', format('it raised alert %s', own.alert_id));
		END IF;
		RETURN jsonb_build_object('verdict', 'joined', 'alert_id', own.alert_id,
			'because', format('it joined alert %s, whose first event is less than %s days away: within the deduplication period nothing is scored again',
				own.alert_id, settings.deduplication_days));
	END IF;
	IF (weighed->>'late')::boolean THEN
		RETURN jsonb_build_object('verdict', 'late', 'because', format(
			'it is more than %s days behind the newest event of its account (%s): what comes that late is neither scored nor learned',
			weighed#>>'{account,kept_days}', weighed#>>'{account,newest_day}'));
	END IF;

	c.detector := settings.detector;
	c.event := event;
	near := iamwatch_internal.near_alert(c, period)::iamwatch_internal.all_alerts;
	IF near.alert_id IS NOT NULL THEN
		IF near.first_event_time > event.event_time AND (weighed->>'in_activation')::boolean THEN
			RETURN jsonb_build_object('verdict', 'activation', 'because', format(
				'it lies in the activation period of its account, which ends at %s, and before alert %s',
				weighed#>>'{account,learns_until}', near.alert_id));
		ELSIF (settings.context_bits > 0 OR settings.least_risk IS NOT NULL)
			AND near.first_event_time >= midnight + interval '24 hours' THEN
			RETURN jsonb_build_object('verdict', 'before_alert', 'alert_id', near.alert_id, 'because', format(
				'its day lies before that of alert %s, and context or least_risk kept it out', near.alert_id));
		END IF;
		RETURN jsonb_build_object('verdict', 'would_join', 'alert_id', near.alert_id, 'because', format(
			'it would join alert %s, whose first event is less than %s days away: within the deduplication period nothing is scored again',
			near.alert_id, settings.deduplication_days));
	END IF;
	IF (weighed->>'in_activation')::boolean THEN
		RETURN jsonb_build_object('verdict', 'activation', 'because', format(
			'its account is in its activation period: no alert before %s', weighed#>>'{account,learns_until}'));
	END IF;

	c.unusual := unusual;
	hidden := iamwatch_internal.near_suppressed(c, period);
	follows := hidden.alert_id IS NOT NULL;
	IF NOT unusual AND NOT follows THEN
		RETURN jsonb_build_object('verdict', 'not_unusual', 'because', format('p = %s is not below the limit %s: %s', p,
			settings.probability_limit, CASE WHEN (weighed->>'k')::bigint > 0
				THEN format('the identity did it on %s of the %s days on which it was active', weighed->>'k', weighed->>'A')
				ELSE format('its peers did it on %s of their %s active days, and the identity is known from %s days only',
					weighed->>'K', weighed->>'N', weighed->>'A') END));
	END IF;
	hidden_by := iamwatch_internal.suppression_of(iamwatch_internal.suppressions_of(settings.detector, event), event);
	-- what a suppression hides is counted where an alert would be opened, or joined that it hides already
	IF hidden_by IS NULL OR (iamwatch_internal.near_suppressed(c, period, hidden_by)).suppression_id <> hidden_by IS NOT FALSE THEN
		IF NOT unusual THEN
			c := iamwatch_internal.scored_as(c, hidden);
			risk := iamwatch_internal.risk_of(settings, c.score,
				(iamwatch.find_operation(event.provider, event.service, event.operation)).sensitivity, weighed->'context');
		END IF;
		IF risk < settings.least_risk THEN
			RETURN jsonb_build_object('verdict', 'below_least_risk', 'because', format(
				'it is unusual (p = %s), but its risk of %s bits is below least_risk, %s',
				round((CASE WHEN unusual THEN weighed->>'probability' ELSE hidden.probability::text END)::numeric, 6),
				round(risk::numeric, 2), settings.least_risk));
		ELSIF (weighed->>'alerts_left')::bigint = 0 THEN
			RETURN jsonb_build_object('verdict', 'over_limit', 'because',
				'the limit "alerts" of its account is reached on its day, and nothing is known of the identity');
		ELSIF unusual AND (weighed->>'day_learned')::boolean AND NOT (weighed->>'day_tested_anew')::boolean
			AND NOT iamwatch_internal.opens_on_scored_day(c, period) AND NOT follows THEN
			RETURN jsonb_build_object('verdict', 'day_tested', 'because', format(
				'p = %s is below the limit %s by what is known and set now, but its day was tested when the first event of it was stored, and there is no alert of it; iamwatch.backfill() tests it again',
				p, settings.probability_limit));
		END IF;
	END IF;
	IF hidden_by IS NOT NULL THEN
		RETURN jsonb_build_object('verdict', 'would_be_suppressed', 'suppression_id', hidden_by, 'because', format(
			'suppression %s hides it: it %s, and is counted without an alert', hidden_by,
			CASE WHEN unusual THEN format('is unusual (p = %s)', p) ELSE format('follows suppressed alert %s', hidden.alert_id) END));
	END IF;
	RETURN jsonb_build_object('verdict', 'would_raise', 'because', CASE WHEN unusual
		THEN format('p = %s is below the limit %s: it would raise an alert', p, settings.probability_limit)
		ELSE format('it would raise an alert with the score of suppressed alert %s, which no suppression excuses it from', hidden.alert_id) END);
END $$;
COMMENT ON FUNCTION iamwatch_internal.verdict(iamwatch.detectors, iamwatch.event, jsonb, boolean) IS
'what becomes of an event of an operation that a detector watches, and the rule that decides';

CREATE FUNCTION iamwatch_internal.why_stored(event iamwatch.event) RETURNS jsonb
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
#variable_conflict use_variable
DECLARE
	s record;
	got record;
	sources text[] := '{}';
	problems jsonb := '{}';
	problem text;
BEGIN
	FOR s IN SELECT * FROM iamwatch_internal.readable_sources() LOOP
		problem := s.problem;
		IF problem IS NULL AND event.event_id IS NOT NULL THEN
			got := iamwatch_internal.raw_events_of(s.source, s.event_column, event.provider, event.identity, event.operation,
				ARRAY[event.event_id], 1);
			problem := got.problem;
			IF cardinality(got.events) > 0 THEN
				sources := array_append(sources, s.source::text);
			END IF;
		END IF;
		IF problem IS NOT NULL THEN
			problems := problems || jsonb_build_object(s.source::text, problem);
		END IF;
	END LOOP;
	RETURN jsonb_build_object('stored', CASE WHEN sources <> '{}' THEN true
			WHEN event.event_id IS NOT NULL AND problems = '{}' THEN false END,
		'sources', to_jsonb(sources), 'problems', problems);
END $$;
COMMENT ON FUNCTION iamwatch_internal.why_stored(iamwatch.event) IS
'in which watched sources an event is, by its id: null if it has none, or if it was not found and a source could not be searched';

CREATE FUNCTION iamwatch.why_json(event jsonb) RETURNS jsonb
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp SET extra_float_digits = 1 AS $$
#variable_conflict use_variable
DECLARE
	e iamwatch.event;
	o iamwatch.operations;
	problem constant text := iamwatch_internal.refusal(event);
	inside bigint;
	found_in jsonb;
	reason text;
	d iamwatch.detectors;
	one jsonb;
	verdicts jsonb := '[]';
	best jsonb;
	v record;
BEGIN
	e := iamwatch.parse(event);
	IF e.event_time IS NULL THEN
		SELECT count(*) INTO inside FROM iamwatch.records(event) AS r WHERE iamwatch.unreadable(r) IS NULL AND r <> event;
		RETURN jsonb_build_object('verdict', 'unreadable', 'because', 'it cannot be read: ' || problem, 'problem', problem)
			|| CASE WHEN inside > 0 THEN jsonb_build_object('hint', format(
				'It holds %s events that can: SELECT iamwatch.why(r) FROM iamwatch.records(DOCUMENT) AS r.', inside)) ELSE '{}' END;
	END IF;
	IF problem IS NOT NULL THEN
		RETURN jsonb_build_object('verdict', 'rejected', 'because', 'it is rejected: ' || problem, 'problem', problem,
			'read', jsonb_strip_nulls(to_jsonb(e)));
	END IF;
	found_in := iamwatch_internal.why_stored(e);
	o := iamwatch.find_operation(e.provider, e.service, e.operation);
	reason := CASE WHEN o.operation IS NULL THEN format(
			'the catalogue does not have %s:%s, so it counts as activity of the identity and is not tested; add a row to iamwatch.operations to watch it', e.service, e.operation) END;

	FOR d IN SELECT x.* FROM iamwatch.detectors AS x ORDER BY x.detector COLLATE "C" LOOP
		one := jsonb_build_object('detector', d.detector, 'watches', false);
		IF reason IS NOT NULL THEN
			one := one || jsonb_build_object('verdict', 'not_watched', 'because', reason);
		ELSIF NOT d.enabled THEN
			one := one || jsonb_build_object('verdict', 'disabled', 'because', format('detector %s is disabled', d.detector));
		ELSIF o.effect <> ALL (d.effects) THEN
			one := one || jsonb_build_object('verdict', 'not_watched', 'because', format(
				'detector %s watches the effects %s, and the catalogue has it with the effect %s', d.detector,
				array_to_string(d.effects, ', '), o.effect));
		ELSIF d.categories IS NULL AND o.category IN ('session', 'sign_in') THEN
			one := one || jsonb_build_object('verdict', 'not_watched', 'because', format(
				'the catalogue has it in the category %s, which only a detector that names it watches', o.category));
		ELSIF o.category <> ALL (d.categories) THEN
			one := one || jsonb_build_object('verdict', 'not_watched', 'because', format(
				'detector %s watches the categories %s, and it is of %s', d.detector, array_to_string(d.categories, ', '), o.category));
		ELSIF o.sensitivity < d.least_sensitivity THEN
			one := one || jsonb_build_object('verdict', 'not_watched', 'because', format(
				'detector %s watches sensitivity %s and above, and it is of %s', d.detector, d.least_sensitivity, o.sensitivity));
		ELSE
			v := iamwatch_internal.variation(d, e);
			one := one || iamwatch_internal.weigh(d.detector, e, left(iamwatch_internal.access_key(event), 200));
			one := one || iamwatch_internal.verdict(d, e, one, (found_in->>'stored')::boolean)
				|| jsonb_build_object('watches', true, 'severity', v.severity, 'variation', v.variation,
					'deduplication_days', d.deduplication_days);
			IF one->>'verdict' = 'raised' THEN
				one := one || (SELECT jsonb_build_object('raised_with', jsonb_build_object('k', a.evidence->'k', 'A', a.evidence->'A',
						'K', a.evidence->'K', 'N', a.evidence->'N', 'probability', a.probability, 'risk', a.risk))
					FROM iamwatch_internal.all_alerts AS a WHERE a.alert_id = (one->>'alert_id')::bigint);
			END IF;
		END IF;
		verdicts := verdicts || one;
	END LOOP;
	SELECT x INTO best FROM jsonb_array_elements(verdicts) WITH ORDINALITY AS t (x, n)
	ORDER BY coalesce(array_position(ARRAY['raised', 'would_raise', 'joined', 'would_join', 'suppressed',
		'would_be_suppressed'], x->>'verdict'), CASE WHEN (x->>'watches')::boolean THEN 7 ELSE 8 END), n LIMIT 1;

	RETURN jsonb_build_object('verdict', coalesce(best->>'verdict', 'not_watched'),
		'because', coalesce(best->>'because', 'there is no detector'), 'alert_id', best->'alert_id',
		'read', jsonb_strip_nulls(to_jsonb(e)), 'catalogue', CASE WHEN o.operation IS NOT NULL THEN to_jsonb(o) END,
		'detectors', verdicts) || found_in;
END $$;
COMMENT ON FUNCTION iamwatch.why_json(jsonb) IS
'why an event, stored or not, did or did not raise an alert: how it is read, what the catalogue says, and for each detector what it counts, from the days before the event''s own as they are known now, and the rule that decides. Verdict: raised, joined, suppressed, would_raise, would_join, would_be_suppressed, not_unusual, activation, late, below_least_risk, over_limit, day_tested, before_alert, not_watched, disabled, rejected or unreadable. With the caller''s rights; reads the watched sources for the event''s id; writes nothing';

CREATE FUNCTION iamwatch.why(event jsonb) RETURNS text
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
#variable_conflict use_variable
DECLARE
	x constant jsonb := iamwatch.why_json(event);
	r constant jsonb := x->'read';
	o constant jsonb := x->'catalogue';
	lines text[] := ARRAY[upper(left(x->>'because', 1)) || plain(substr(x->>'because', 2)) || '.', x->>'hint'];
	d jsonb;
BEGIN
	IF r IS NOT NULL THEN
		lines := lines || ARRAY['', 'How it is read',
			format('  %s:%s %s at %s', plain(r->>'service'), plain(r->>'operation'),
				CASE WHEN (r->>'failed')::boolean THEN coalesce('FAILED (' || plain(r->>'error_code') || ')', 'FAILED') ELSE 'succeeded' END,
				r->>'event_time'),
			format('  by %s (%s, %s) in %s account %s', plain(r->>'identity'), r->>'identity_kind',
				CASE WHEN (r->>'is_user')::boolean THEN 'a person' ELSE 'not a person' END, r->>'provider', plain(r->>'account')),
			'  acting for ' || plain(r->>'acting_for'), '  as instance ' || plain(r->>'instance_id'),
			'  on ' || plain(r->>'target'), '  granting ' || plain(r->>'granted'),
			'  from ' || coalesce(host((r->>'source_ip')::inet), plain(r->>'source_host')),
			'  event id ' || coalesce(plain(r->>'event_id'), 'none, so it cannot be found again')];
		lines := lines || CASE WHEN x->'stored' IS NULL THEN NULL
			WHEN (x->>'stored')::boolean THEN '  stored in ' || plain_list(x->'sources', '')
			WHEN x->>'stored' = 'false' THEN '  in none of the watched sources'
			ELSE '  whether it is stored is not known' END;
		lines := lines || ARRAY(SELECT format('  %s: %s', plain(p.key), plain(p.value)) FROM jsonb_each_text(x->'problems') AS p);
	END IF;
	IF x ? 'catalogue' THEN
		lines := lines || ARRAY['', 'What the catalogue says', CASE WHEN o IS NULL OR o = 'null' THEN '  nothing: it is no IAM operation'
			ELSE format('  %s %s:%s (%s row of %s): %s of %s, sensitivity %s of 4, technique %s', o->>'provider', o->>'service', o->>'operation',
				o->>'match', o->>'origin', o->>'effect', o->>'category', o->>'sensitivity',
				coalesce(nullif(o->>'attack_technique', ''), 'T1098')) END];
	END IF;
	FOR d IN SELECT * FROM jsonb_array_elements(x->'detectors') LOOP
		lines := lines || ARRAY['', 'Detector ' || plain(d->>'detector'), format('  %s: %s', d->>'verdict', plain(d->>'because'))];
		CONTINUE WHEN NOT (d->>'watches')::boolean;
		lines := lines || ARRAY[
			format('  activation: the account is known from %s, alerts from %s', coalesce(d#>>'{account,first_event_time}', 'this event'),
				d#>>'{account,learns_until}'),
			format('  late: %s; its newest day is %s, and %s days before that count', CASE WHEN (d->>'late')::boolean THEN 'yes' ELSE 'no' END,
				coalesce(d#>>'{account,newest_day}', 'not known'), d#>>'{account,kept_days}'),
			format('  k = %s: days of the %s before its own on which the identity did this', d->>'k', d->>'training_days'),
			format('  A = %s: days on which it did anything', d->>'A'),
			format('  K = %s: its peers'' days of doing this', d->>'K'),
			format('  N = %s: its peers'' active days%s', d->>'N', CASE WHEN (d->>'newcomer')::boolean
				THEN ', all of them, as the identity is new' ELSE ', from the third of each on' END)]
			|| ARRAY(SELECT '  ' || s FROM jsonb_array_elements_text(iamwatch_internal.explain_score(d,
				(d->>'probability')::float8, (d->>'surprise')::float8, (d->>'probability_limit')::float8)->'steps') AS s)
			|| ARRAY(SELECT '  context: ' || w FROM iamwatch_internal.context_words(d->'context') AS w)
			|| format('  risk = %s bits%s', round((d->>'risk')::numeric, 2),
				coalesce(', least_risk ' || (d->>'least_risk'), ''))
			|| format('  severity %s (%s); deduplication %s days', d->>'severity', d->>'variation', d->>'deduplication_days');
		IF d ? 'raised_with' AND EXISTS (SELECT FROM jsonb_each(d->'raised_with') AS w WHERE w.value <> d->(w.key)) THEN
			lines := lines || format('  when it was raised: k = %s, A = %s, K = %s, N = %s, p = %s, risk = %s; more was learned, or decided, of the days before since',
				d#>>'{raised_with,k}', d#>>'{raised_with,A}', d#>>'{raised_with,K}', d#>>'{raised_with,N}',
				round((d#>>'{raised_with,probability}')::numeric, 6), round((d#>>'{raised_with,risk}')::numeric, 2));
		END IF;
	END LOOP;
	RETURN array_to_string(lines, E'\n');
END $$;
COMMENT ON FUNCTION iamwatch.why(jsonb) IS
'why an event, stored or not, did or did not raise an alert: what iamwatch.why_json() says, for reading';
