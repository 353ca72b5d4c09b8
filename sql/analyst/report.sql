-- A report to look at: one HTML page with nothing outside of it, and every
-- text from data escaped, as attackers choose names and user agents.  Its one
-- script only hides lines and copies; the page allows no other, by its hash.

CREATE FUNCTION iamwatch_internal.html_escape(data text, most integer) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	RETURN replace(replace(replace(replace(replace(
		regexp_replace(CASE WHEN length(data) > most THEN left(data, most - 1) ELSE data END,
			E'[\\x01-\\x1f\\x7f]', ' ', 'g'),
		'&', '&amp;'), '<', '&lt;'), '>', '&gt;'), '"', '&quot;'), '''', '&#39;')
		|| CASE WHEN length(data) > most THEN '&hellip;' ELSE '' END;
COMMENT ON FUNCTION iamwatch_internal.html_escape(text, integer) IS
'a text without characters that mean something in HTML, and without control characters; cut to so many characters before';

CREATE FUNCTION iamwatch_internal.html(data text, most integer DEFAULT 120) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	RETURN '<bdi>' || iamwatch_internal.html_escape(data, most) || '</bdi>';
COMMENT ON FUNCTION iamwatch_internal.html(text, integer) IS
'a text as HTML shows it, cut to so many characters; what changes the direction of text in it does not reach beyond it';

CREATE FUNCTION iamwatch_internal.html_text(data text, most integer DEFAULT 120) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	RETURN iamwatch_internal.html_escape(regexp_replace(data, E'[\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069]', '', 'g'), most);
COMMENT ON FUNCTION iamwatch_internal.html_text(text, integer) IS
'as iamwatch_internal.html(), for SVG texts, which hold no elements: what changes the direction of text is left out';

-- What pictures are made of is counted in one reading of the alerts.
CREATE TYPE iamwatch_internal.report_count AS (
	day date,
	severity text,
	technique text,
	n bigint
);
COMMENT ON TYPE iamwatch_internal.report_count IS 'how many alerts began on a UTC date, by severity and technique';

CREATE FUNCTION iamwatch_internal.report_timeline(since timestamptz, until timestamptz, alerts iamwatch_internal.report_count[]) RETURNS text
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	WITH span AS (
		SELECT first, days, GREATEST(1, ceil(days / 60.0)::integer) AS step
		FROM (SELECT (since AT TIME ZONE 'UTC')::date AS first,
			GREATEST(1, ((until - interval '1 microsecond') AT TIME ZONE 'UTC')::date
				- (since AT TIME ZONE 'UTC')::date + 1) AS days) AS s
	), counted AS (
		SELECT (a.day - s.first) / s.step AS bin, a.severity, sum(a.n)::bigint AS n
		FROM span AS s CROSS JOIN unnest(alerts) AS a
		GROUP BY 1, 2
	), stacked AS (
		SELECT c.*, sum(c.n) OVER (PARTITION BY c.bin ORDER BY iamwatch_internal.severity_rank(c.severity)) AS above,
			sum(c.n) OVER (PARTITION BY c.bin) AS total
		FROM counted AS c
	), scale AS (
		SELECT s.*, ceil(s.days::float8 / s.step) AS bins, 980 / ceil(s.days::float8 / s.step) AS width,
			GREATEST((SELECT max(k.total) FROM stacked AS k), 1) AS most
		FROM span AS s
	)
	SELECT format('<svg viewBox="0 0 1040 230" role="img" aria-labelledby="timeline-title"><title id="timeline-title">'
			'Alerts a %s from %s, %s in all</title>%s%s%s%s</svg>',
		CASE s.step WHEN 1 THEN 'day' ELSE s.step || ' days' END, s.first, (SELECT coalesce(sum(n), 0) FROM counted),
		(SELECT string_agg(format('<line class="grid" x1="44" x2="1024" y1="%1$s" y2="%1$s"/><text class="tick" x="38" y="%2$s" text-anchor="end">%3$s</text>',
			round((200 - 170 * v / s.most)::numeric, 1), round((204 - 170 * v / s.most)::numeric, 1), v), '')
		 FROM (SELECT DISTINCT round(s.most * q / 2)::bigint AS v FROM unnest('{0,1,2}'::numeric[]) AS q) AS t),
		(SELECT string_agg(format('<rect class="sev-%s" x="%s" y="%s" width="%s" height="%s" rx="1.5"><title>%s: %s %s</title></rect>',
			k.severity, round((44 + k.bin * s.width + s.width * 0.1)::numeric, 1), round((200 - 170 * k.above / s.most)::numeric, 1),
			round((s.width * 0.8)::numeric, 1), round((170 * k.n / s.most)::numeric, 1),
			to_char(s.first + k.bin * s.step, 'FMDD Mon YYYY'), k.n, k.severity), '' ORDER BY k.bin, k.above)
		 FROM stacked AS k),
		(SELECT string_agg(format('<text class="count" x="%s" y="%s" text-anchor="middle">%s</text>',
			round((44 + (k.bin + 0.5) * s.width)::numeric, 1), round((194 - 170 * k.total / s.most)::numeric, 1), k.total), '')
		 FROM (SELECT DISTINCT bin, total FROM stacked) AS k
		 WHERE 7 * length(k.total::text) <= s.width OR k.total = s.most AND NOT EXISTS (
			SELECT FROM stacked AS o WHERE o.total = s.most AND o.bin < k.bin)),
		(SELECT string_agg(format('<text class="tick" x="%s" y="220" text-anchor="middle">%s</text>',
			round((44 + (b + 0.5) * s.width)::numeric, 1), to_char(s.first + b * s.step, 'FMDD Mon')), '')
		 FROM generate_series(0, s.bins::integer - 1, GREATEST(1, ceil(s.bins / 9)::integer)) AS b))
	FROM scale AS s
$$;
COMMENT ON FUNCTION iamwatch_internal.report_timeline(timestamptz, timestamptz, iamwatch_internal.report_count[]) IS 'SVG: alerts over time, stacked by severity';

-- How an incident unfolded: in order to the right, sensitivity upwards.  As the
-- next, in PL/pgSQL with one plan: what functions in SQL call is planned each time.
CREATE FUNCTION iamwatch_internal.report_strip(alert_ids bigint[], incident bigint) RETURNS text
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan AS $$
BEGIN
	RETURN (
	WITH one AS (
		SELECT a.*, row_number() OVER w AS n, count(*) OVER () AS most,
			a.first_event_time - lag(a.first_event_time) OVER w AS gap,
			max(a.first_event_time) OVER () - min(a.first_event_time) OVER () AS span
		FROM iamwatch.alerts AS a WHERE a.alert_id = ANY (alert_ids[1:100])
		WINDOW w AS (ORDER BY a.first_event_time, a.alert_id)
	), placed AS (
		SELECT o.*, round((112 + LEAST(876.0 / o.most, 60) * (o.n - 0.5))::numeric, 1) AS x, 142 - 28 * o.sensitivity AS y,
			to_char(o.first_event_time AT TIME ZONE 'UTC', CASE WHEN o.span < interval '24 hours' THEN 'HH24:MI' ELSE 'FMDD Mon' END) AS at
		FROM one AS o
	), marks AS (	-- a time where there was a pause, as far as they have room
		SELECT p.x - LEAST(438.0 / p.most, 30) AS x, p.n,
			CASE WHEN p.n = 1 OR p.x - lag(p.x) OVER (ORDER BY p.n) > 44 THEN p.at ELSE '' END AS at
		FROM placed AS p WHERE p.n = 1 OR (p.gap > p.span / 16 AND p.span > interval '0')
	)
	SELECT format('<svg viewBox="0 0 1000 %s" role="img" aria-labelledby="strip-%s"><title id="strip-%2$s">'
			'%s operations in order, by sensitivity</title>%s%s%s%s</svg>',
		CASE WHEN count(*) <= 50 THEN 158 + round(4.9 * LEAST(max(length(p.operation)), 27)) ELSE 136 END, incident, count(*),
		(SELECT string_agg(format('<line class="grid" x1="104" x2="992" y1="%1$s" y2="%1$s"/><text class="tick" x="96" y="%2$s" text-anchor="end">%3$s</text>',
			142 - 28 * v, 146 - 28 * v, (ARRAY['1 low', '2', '3', '4 foothold'])[v]), '') FROM generate_series(1, 4) AS v),
		(SELECT string_agg(format('<line class="grid dashed" x1="%1$s" x2="%1$s" y1="4" y2="130"/><text class="tick" x="%2$s" y="12">%3$s</text>',
			round(m.x, 1), round(m.x + 4, 1), m.at), '' ORDER BY m.n) FROM marks AS m),
		string_agg(format('<g class="sens-%1$s%2$s"><title>%3$s</title><line x1="%4$s" x2="%4$s" y1="130" y2="%5$s"/><circle cx="%4$s" cy="%5$s" r="%6$s"/></g>',
			p.sensitivity, CASE WHEN p.failed THEN ' failed' ELSE '' END,
			iamwatch_internal.html_text(format('%s %s:%s%s, %s events, %s bits', to_char(p.first_event_time AT TIME ZONE 'UTC', 'FMDD Mon HH24:MI:SS'),
				p.service, p.operation, CASE WHEN p.failed THEN ' (failed)' ELSE '' END, p.event_count, round(p.surprise::numeric, 1)), 200),
			p.x, p.y, round((5 + 1.3 * LEAST(ln(p.event_count), 4))::numeric, 1)), '' ORDER BY p.n),
		CASE WHEN count(*) <= 50 THEN string_agg(format('<text class="name" transform="translate(%s 144) rotate(-58)" text-anchor="end">%s</text>',
			p.x + 3, iamwatch_internal.html_text(p.operation, 27)), '' ORDER BY p.n) ELSE '' END)
	FROM placed AS p
	);
END $$;
COMMENT ON FUNCTION iamwatch_internal.report_strip(bigint[], bigint) IS
'SVG: the first 100 alerts of an incident in order, by sensitivity; failed ones hollow, those of many events larger';

CREATE FUNCTION iamwatch_internal.report_story(alert_ids bigint[], most integer) RETURNS text
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan AS $$
BEGIN
	RETURN (
	SELECT '<div class="scroll"><table><thead><tr><th>Time (UTC)</th><th>Operation</th><th>On</th><th>Granted</th><th>Technique</th><th class="num">Risk</th>'
		|| '<th class="num">Own days</th><th class="num">Peers&rsquo;</th><th>From</th><th>By</th><th>Alert</th></tr></thead><tbody>'
		|| string_agg(format('<tr><td>%s</td><td><span class="dot sens-%s"></span>%s%s</td><td>%s</td><td>%s</td><td>%s</td><td class="num">%s</td>'
			'<td class="num">%s/%s</td><td class="num">%s/%s</td><td>%s</td><td>%s</td><td><code>%s</code></td></tr>',
			to_char(a.first_event_time AT TIME ZONE 'UTC', 'MM-DD HH24:MI:SS'), a.sensitivity,
			iamwatch_internal.html(a.operation, 60),
			CASE WHEN a.failed THEN ' <span class="tag">failed</span>' ELSE '' END
				|| CASE WHEN a.event_count > 1 THEN ' &times;' || a.event_count ELSE '' END,
			coalesce(iamwatch_internal.html(a.evidence->'targets'->>0, 40), ''), coalesce(iamwatch_internal.html(a.evidence->'granted'->>0, 40), ''),
			iamwatch_internal.html(a.technique, 20), coalesce(round(a.risk::numeric, 1)::text, ''),
			iamwatch_internal.html_escape(a.evidence->>'k', 9), iamwatch_internal.html_escape(a.evidence->>'A', 9),
			iamwatch_internal.html_escape(a.evidence->>'K', 9), iamwatch_internal.html_escape(a.evidence->>'N', 9),
			coalesce(iamwatch_internal.html(a.evidence->'source_addresses'->>0, 45), ''),
			coalesce(iamwatch_internal.html(a.evidence->'user_agents'->>0, 24), ''), a.alert_id), '' ORDER BY a.first_event_time, a.alert_id)
		|| '</tbody></table></div>'
		|| CASE WHEN cardinality(alert_ids) > most THEN format('<p>and %s more</p>', cardinality(alert_ids) - most) ELSE '' END
	FROM iamwatch.alerts AS a WHERE a.alert_id = ANY (alert_ids[1:most])
	);
END $$;
COMMENT ON FUNCTION iamwatch_internal.report_story(bigint[], integer) IS 'HTML: a table of the first so many alerts of an incident';

-- The alert that makes an incident as risky as it is speaks for it.
CREATE FUNCTION iamwatch_internal.report_incident(i iamwatch.incidents, highest double precision, place bigint, most integer) RETURNS text
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT format('<article data-a="%s" data-s="%s"%s%s id="i%s"><details><summary><span class="risk" title="risk %s bits"><i style="width:%s%%"></i></span>'
			'<b class="num">%s</b> %s<span class="chip sev-%s">%s</span> <span class="who">%s</span> <span class="meta">%s</span> '
			'<span class="what">%s%s%s%s</span>%s%s</summary><div class="facts"><span>%s, <b>%s</b></span><span><b>%s</b> alerts, <b>%s</b> open, '
			'<b>%s</b> events</span><span><b>%s</b> to <b>%s</b></span><span>ATT&amp;CK <b>%s</b></span>%s</div>%s%s'
			'<p><code>SELECT iamwatch.explain_incident(%s);</code> <button>copy</button> <code>SELECT iamwatch.explain(%s);</code> <button>copy</button></p></details></article>',
			iamwatch_internal.html_escape((i).account, 60), (i).severity, CASE WHEN (i).urgent AND (i).open_alerts > 0 THEN ' data-u' ELSE '' END,
			CASE WHEN (i).open_alerts > 0 THEN ' data-o' ELSE '' END, (i).incident_id,
			round((i).risk::numeric, 1), round((100 * (i).risk / GREATEST(highest, 1))::numeric), round((i).risk::numeric, 1),
			CASE WHEN (i).open_alerts = 0 THEN '<span class="tag">closed</span> ' WHEN (i).urgent THEN '<span class="urgent">urgent</span> ' ELSE '' END,
			(i).severity, (i).severity, iamwatch_internal.html((i).name, 60), iamwatch_internal.html((i).account, 40),
			iamwatch_internal.html(a.operation, 50), CASE WHEN a.failed THEN ' <span class="tag">failed</span>' ELSE '' END,
			coalesce(' on ' || iamwatch_internal.html(a.evidence->'targets'->>0, 40), ''),
			coalesce(' from ' || iamwatch_internal.html(a.evidence->'source_addresses'->>0, 45), ''),
			(SELECT string_agg(format(' <span class="tag">%s</span>', iamwatch_internal.html_escape(replace(c, '_', ' '), 30)), '' ORDER BY c)
			 FROM jsonb_object_keys(CASE jsonb_typeof(a.evidence->'context') WHEN 'object' THEN a.evidence->'context' ELSE '{}' END) AS c),
			CASE WHEN (i).alerts > 1 THEN format(' <span class="meta">and %s more</span>', (i).alerts - 1) ELSE '' END,
			iamwatch_internal.html((i).identity_kind, 30), iamwatch_internal.html((i).identity, 200), (i).alerts, (i).open_alerts, (i).events,
			to_char((i).first_event_time AT TIME ZONE 'UTC', 'FMDD Mon HH24:MI'), to_char((i).last_event_time AT TIME ZONE 'UTC', 'FMDD Mon HH24:MI'),
			iamwatch_internal.html(array_to_string((i).techniques, ' '), 160),
			coalesce((SELECT string_agg(format('<span>led to incident <b>%s</b>: %s</span>', l.led_to, iamwatch_internal.html(l.reason, 200)), '')
			 FROM iamwatch.incident_links AS l WHERE l.incident_id = (i).incident_id AND (i).led_to <> '{}'), '')
			|| coalesce((SELECT string_agg(format('<span>came from incident <b>%s</b>: %s</span>', l.incident_id, iamwatch_internal.html(l.reason, 200)), '')
			 FROM iamwatch.incident_links AS l WHERE l.led_to = (i).incident_id AND (i).came_from <> '{}'), ''),
			CASE WHEN place <= 25 AND (i).alerts > 2 THEN iamwatch_internal.report_strip((i).alert_ids, place) ELSE '' END,
			iamwatch_internal.report_story((i).alert_ids, most), (i).incident_id, a.alert_id)
	FROM iamwatch.alerts AS a WHERE a.alert_id = ANY ((i).alert_ids)
	ORDER BY a.status = 'closed', a.risk DESC NULLS LAST, a.first_event_time, a.alert_id LIMIT 1
$$;
COMMENT ON FUNCTION iamwatch_internal.report_incident(iamwatch.incidents, double precision, bigint, integer) IS
'HTML: an incident in a line that opens to its story';

CREATE FUNCTION iamwatch_internal.report_matrix(since timestamptz, until timestamptz, alerts iamwatch_internal.report_count[]) RETURNS text
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	WITH span AS (
		SELECT first, days, GREATEST(1, ceil(days / 45.0)::integer) AS step
		FROM (SELECT (since AT TIME ZONE 'UTC')::date AS first,
			GREATEST(1, ((until - interval '1 microsecond') AT TIME ZONE 'UTC')::date - (since AT TIME ZONE 'UTC')::date + 1) AS days) AS s
	), counted AS MATERIALIZED (
		SELECT a.technique, (a.day - s.first) / s.step AS bin, sum(a.n)::bigint AS n
		FROM span AS s CROSS JOIN unnest(alerts) AS a
		GROUP BY 1, 2
	), rows AS (
		SELECT c.technique, sum(c.n) AS n, row_number() OVER (ORDER BY sum(c.n) DESC, c.technique) AS place
		FROM counted AS c GROUP BY c.technique ORDER BY 2 DESC, 1 LIMIT 25
	), scale AS (
		SELECT s.*, 730.0 / ceil(s.days::numeric / s.step) AS width, GREATEST((SELECT max(n) FROM counted), 2) AS most FROM span AS s
	)
	SELECT format('<svg viewBox="0 0 1040 %s" role="img" aria-labelledby="matrix-title"><title id="matrix-title">Alerts by ATT&amp;CK technique and day</title>%s%s%s</svg>',
		30 + 17 * count(*),
		string_agg(format('<text class="label" x="292" y="%s" text-anchor="end">%s</text>', 30 + 17 * (r.place - 1),
			iamwatch_internal.html_text(r.technique || coalesce(' ' || iamwatch_internal.attack_name(r.technique), ''), 42)), ''),
		(SELECT string_agg(format('<text class="tick" x="%s" y="13">%s</text>', round(300 + s.width * b, 1), to_char(s.first + b * s.step, 'FMDD Mon')), '')
		 FROM generate_series(0, (s.days - 1) / s.step, GREATEST(1, (s.days / s.step) / 8)) AS b),
		(SELECT string_agg(format('<rect class="cell" x="%s" y="%s" width="%s" height="15" style="opacity:%s"><title>%s, %s: %s</title></rect>',
			round(300 + s.width * c.bin, 1), 18 + 17 * (q.place - 1), round(GREATEST(s.width - 1, 1), 1),
			round((0.25 + 0.75 * ln(c.n) / ln(s.most))::numeric, 2), to_char(s.first + c.bin * s.step, 'FMDD Mon YYYY'),
			iamwatch_internal.html_text(c.technique, 20), c.n), '')
		 FROM counted AS c JOIN rows AS q USING (technique)))
	FROM rows AS r CROSS JOIN scale AS s GROUP BY s.first, s.days, s.step, s.width, s.most
$$;
COMMENT ON FUNCTION iamwatch_internal.report_matrix(timestamptz, timestamptz, iamwatch_internal.report_count[]) IS
'SVG: alerts by technique and day, the 25 techniques with most; null without any';

-- What an identity does on which days: a row an operation, a column a day.
CREATE FUNCTION iamwatch_internal.report_calendar(in_provider text, in_account text, of_identity text) RETURNS text
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	WITH who AS (
		SELECT i.days, i.last_seen, i.last_seen - s.span AS since, s.span, 784.0 / (s.span + 1) AS width
		FROM iamwatch.identities AS i
		CROSS JOIN LATERAL (SELECT GREATEST(55, LEAST(399, i.last_seen - iamwatch.first_day(i.days))) AS span) AS s
		WHERE i.identity = of_identity AND i.provider = in_provider AND i.account = in_account
	), alerted AS (
		SELECT a.service, a.operation, a.failed, a.severity, a.sensitivity,
			a.first_event_time,
			(a.first_event_time AT TIME ZONE 'UTC')::date AS first, (a.last_event_time AT TIME ZONE 'UTC')::date AS last
		FROM iamwatch.alerts AS a
		WHERE hashtextextended(a.identity, 0) = hashtextextended(of_identity, 0)
		AND a.identity = of_identity AND a.provider = in_provider AND a.account = in_account
	), chosen AS (
		SELECT b.service, b.operation, b.failed, b.days, b.first_seen,
			(SELECT count(*) FROM alerted AS a WHERE (a.service, a.operation, a.failed) = (b.service, b.operation, b.failed)) AS alerts,
			(SELECT min(a.first_event_time) FROM alerted AS a
			WHERE (a.service, a.operation, a.failed) = (b.service, b.operation, b.failed)) AS alerted
		FROM iamwatch.baselines AS b
		WHERE b.identity = of_identity AND b.provider = in_provider AND b.account = in_account
		ORDER BY 6 DESC, b.first_seen, b.service, b.operation, b.failed LIMIT 45
	), rows AS (
		SELECT 0 AS n, 'any activity' AS label, 'any activity' AS name, NULL AS service, NULL AS operation, false AS failed, w.days
		FROM who AS w
		UNION ALL
		SELECT row_number() OVER (ORDER BY c.first_seen, c.alerted, c.service, c.operation, c.failed),
			c.operation,
			c.service || ':' || c.operation || CASE WHEN c.failed THEN ' (failed)' ELSE '' END, c.service, c.operation, c.failed, c.days
		FROM chosen AS c
	), runs AS (
		SELECT r.n, lower(d) - w.since AS first, upper(d) - lower(d) AS days
		FROM rows AS r CROSS JOIN who AS w
		CROSS JOIN LATERAL unnest(iamwatch.datemultirange(r.days OPERATOR(iamwatch.&) iamwatch.dayset(w.since, w.last_seen))) AS d
	), cells AS (
		SELECT r.n, r.name, a.severity, a.sensitivity, GREATEST(a.first, w.since) - w.since AS first,
			LEAST(a.last, w.last_seen) - GREATEST(a.first, w.since) + 1 AS days, a.first AS day
		FROM rows AS r CROSS JOIN who AS w
		JOIN alerted AS a ON (a.service, a.operation, a.failed) = (r.service, r.operation, r.failed)
		WHERE a.last >= w.since AND a.first <= w.last_seen
	)
	SELECT format('<svg viewBox="0 0 1040 %s" role="img" aria-labelledby="calendar-title"><title id="calendar-title">'
			'Days on which %s did what, up to %s</title>%s%s%s%s%s</svg>',
		34 + 15 * (SELECT count(*) FROM rows), iamwatch_internal.html_text(iamwatch.short_name(of_identity)), w.last_seen,
		(SELECT string_agg(format('<rect class="weekend" x="%s" y="20" width="%s" height="%s"/>', round(246 + w.width * d, 1), round(w.width, 1),
			15 * (SELECT count(*) FROM rows)), '')
		 FROM generate_series(0, w.span) AS d WHERE w.span < 120 AND extract(isodow FROM w.since + d) > 5),
		(SELECT string_agg(format('<text class="tick" x="%s" y="13">%s</text>', round(246 + w.width * d, 1), to_char(w.since + d, 'FMDD Mon')), '')
		 FROM generate_series(0, w.span - 2) AS d WHERE d % (7 * (1 + w.span / 80)) = 0 AND d < w.span - 3 * (w.span / 80)),
		(SELECT string_agg(format('<text class="label" x="238" y="%s" text-anchor="end">%s</text>', 31 + 15 * r.n,
			iamwatch_internal.html_text(r.label, 30) || CASE WHEN r.failed THEN ' &#10007;' ELSE '' END), '')
		 FROM rows AS r),
		(SELECT string_agg(format('<rect class="%s" x="%s" y="%s" width="%s" height="12"/>', CASE r.n WHEN 0 THEN 'any' ELSE 'usual' END,
			round(246.5 + w.width * r.first, 1), 21 + 15 * r.n, round(GREATEST(w.width * r.days - 1, 1), 1)), '')
		 FROM runs AS r),
		(SELECT string_agg(format('<rect class="alert sens-%s" x="%s" y="%s" width="%s" height="12"><title>%s</title></rect>', c.sensitivity,
			round(246.5 + w.width * c.first, 1), 21 + 15 * c.n, round(GREATEST(w.width * c.days - 1, 3), 1),
			iamwatch_internal.html_text(to_char(c.day, 'FMDD Mon YYYY') || ': ' || c.name || ', alert: ' || c.severity, 160)), '')
		 FROM cells AS c))
	FROM who AS w
$$;
COMMENT ON FUNCTION iamwatch_internal.report_calendar(text, text, text) IS
'SVG: the days that are remembered of an identity, at least eight weeks, a row for each of up to 45 IAM operations, those with alerts first; null for one that is not known';

CREATE FUNCTION iamwatch_internal.report_style() RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	RETURN $css$
:root { color-scheme: light dark; --back: #f5f6f8; --card: #fff; --ink: #1b2430; --soft: #586575; --line: #dfe3e9; --weekend: #f0f2f5;
	--any: #a9b4c2; --usual: #3f7fbf; --sens-1: #e3b23c; --sens-2: #e58a2e; --sens-3: #d9503a; --sens-4: #a4133c;
	--informational: #4f739b; --low: #1d7d72; --medium: #8f5a00; --high: #c4402b; --critical: #a4133c; }
@media (prefers-color-scheme: dark) { :root { --back: #11161d; --card: #19212b; --ink: #e7ecf2; --soft: #9aa8b8; --line: #2c3744; --weekend: #1e2732;
	--any: #5b6a7b; --usual: #62a3e0; --sens-1: #f0c75e; --sens-2: #f3a04e; --sens-3: #f2705b; --sens-4: #ff4d78;
	--informational: #86a9cf; --low: #4fc3b5; --medium: #f0b03a; --high: #f2705b; --critical: #ff4d78; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--ink); font: 15px/1.45 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 28px 20px 60px; }
h1 { font-size: 26px; margin: 0 0 2px; letter-spacing: -.01em; }
h2 { font-size: 18px; margin: 34px 0 10px; }
h3 { font-size: 16px; margin: 0; overflow-wrap: anywhere; }
p { margin: 4px 0 10px; color: var(--soft); }
section, article { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 16px 18px; margin: 0 0 14px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(130px, 1fr)); gap: 12px; margin: 20px 0; }
.tiles div { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 12px 14px; }
.tiles b { display: block; font-size: 25px; line-height: 1.2; font-variant-numeric: tabular-nums; }
.tiles span { color: var(--soft); font-size: 13px; }
svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--soft); font-size: 11px; font-family: inherit; }
svg text.count { fill: var(--ink); font-weight: 600; } svg text.label { fill: var(--ink); font-size: 11.5px; }
.grid { stroke: var(--line); stroke-width: 1; } .weekend { fill: var(--weekend); } .any { fill: var(--any); } .usual { fill: var(--usual); }
.sev-informational { --c: var(--informational); } .sev-low { --c: var(--low); }
.sev-medium { --c: var(--medium); } .sev-high { --c: var(--high); }
.sev-critical { --c: var(--critical); }
.sens-1 { --c: var(--sens-1); } .sens-2 { --c: var(--sens-2); } .sens-3 { --c: var(--sens-3); } .sens-4 { --c: var(--sens-4); }
rect[class^=sev] { fill: var(--c); } g line { stroke: var(--c); stroke-width: 1.5; opacity: .55; } circle { fill: var(--c); }
.failed circle { fill: var(--card); stroke: var(--c); stroke-width: 2; } svg text.name { font-size: 10.5px; fill: var(--ink); } .dashed { stroke-dasharray: 2 3; }
rect.alert { fill: var(--c); stroke: var(--ink); stroke-width: .8; }
.dot { display: inline-block; width: 9px; height: 9px; border-radius: 50%; background: var(--c); margin-right: 6px; }
.controls { display: flex; flex-wrap: wrap; gap: 8px 12px; margin: 0 0 12px; align-items: center; } .controls label { font-size: 13px; color: var(--soft); }
input, select, button { font: inherit; font-size: 13px; color: var(--ink); background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: 4px 8px; }
input[type=search] { flex: 1 1 200px; } article { padding: 6px 12px; margin: 0 0 6px; } article summary { color: var(--ink); margin: 0; overflow-wrap: anywhere; }
article[hidden] { display: none; } .risk { display: inline-block; width: 70px; height: 9px; border-radius: 5px; background: var(--line); margin-right: 6px; vertical-align: 1px; }
.risk i { display: block; height: 100%; border-radius: 5px; background: var(--sens-3); } .who { font-weight: 600; }
.urgent { background: var(--sens-4); color: var(--card); border-radius: 4px; padding: 1px 7px; font-size: 12px; font-weight: 700; }
.cell { fill: var(--usual); } code { font-size: 12px; } .facts { flex-direction: column; }
.head { display: flex; gap: 10px; align-items: baseline; flex-wrap: wrap; margin-bottom: 8px; }
.chip { background: var(--c); color: #fff; border-radius: 20px; padding: 1px 10px; font-size: 12.5px; font-weight: 600; }
@media (prefers-color-scheme: dark) { .chip { color: #10151c; } }
.meta { color: var(--soft); font-size: 13px; overflow-wrap: anywhere; }
.facts { display: flex; flex-wrap: wrap; gap: 4px 18px; font-size: 13px; color: var(--soft); margin: 8px 0 4px; } .facts b { color: var(--ink); }
.legend { display: flex; flex-wrap: wrap; gap: 4px 16px; font-size: 13px; color: var(--soft); margin-top: 6px; }
.legend i { display: inline-block; width: 11px; height: 11px; border-radius: 3px; margin-right: 6px; background: var(--c); }
.tag { border: 1px solid currentColor; border-radius: 4px; font-size: 11px; padding: 0 4px; color: var(--soft); }
summary { cursor: pointer; font-size: 13.5px; color: var(--usual); margin-top: 6px; } summary:focus-visible { outline: 2px solid var(--usual); }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: 13px; margin-top: 8px; }
th, td { text-align: left; padding: 4px 10px 4px 0; border-bottom: 1px solid var(--line); white-space: nowrap; } th { color: var(--soft); font-weight: 600; }
.num { text-align: right; font-variant-numeric: tabular-nums; } footer { color: var(--soft); font-size: 13px; margin-top: 26px; }
@media (max-width: 600px) { main { padding: 14px 8px 40px; } section { padding: 10px; overflow-x: auto; } section svg { min-width: 640px; } .risk { width: 40px; } }
@media print { section, article { break-inside: avoid; } body { background: #fff; } .controls, button { display: none; } }
$css$;
COMMENT ON FUNCTION iamwatch_internal.report_style() IS 'the style sheet of the report, light and dark';

CREATE FUNCTION iamwatch_internal.report_script() RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	RETURN $js$(function () {
	'use strict';
	var articles = Array.from(document.querySelectorAll('article')), controls = document.querySelector('.controls');
	if (!controls) return;
	var text = controls.querySelector('input[type=search]'), selects = controls.querySelectorAll('select'),
		boxes = controls.querySelectorAll('input[type=checkbox]'), shown = controls.querySelector('output');
	controls.hidden = false;
	Array.from(new Set(articles.map(function (a) { return a.dataset.a; }))).sort().forEach(function (name) {
		var option = document.createElement('option');
		option.textContent = name;
		option.value = name;
		selects[0].appendChild(option);
	});
	function filter() {
		var wanted = text.value.toLowerCase().split(/\s+/), n = 0;
		articles.forEach(function (a) {
			var words = a.textContent.toLowerCase();
			a.hidden = !(wanted.every(function (w) { return words.indexOf(w) >= 0; })
				&& (!selects[0].value || a.dataset.a === selects[0].value) && (!selects[1].value || a.dataset.s === selects[1].value)
				&& (!boxes[0].checked || 'u' in a.dataset) && (!boxes[1].checked || 'o' in a.dataset));
			n += !a.hidden;
		});
		shown.textContent = n + ' of ' + articles.length;
	}
	controls.addEventListener('input', filter);
	filter();
	document.addEventListener('click', function (event) {
		if (event.target.tagName !== 'BUTTON') return;
		var range = document.createRange();
		range.selectNodeContents(event.target.previousElementSibling);
		var selection = getSelection();
		selection.removeAllRanges();
		selection.addRange(range);
		document.execCommand('copy');
	});
}());
$js$;
COMMENT ON FUNCTION iamwatch_internal.report_script() IS
'what the report does by itself: lines that do not match are hidden, a button copies the text before it. It makes no HTML of data and loads nothing';

CREATE FUNCTION iamwatch_internal.report_usual(of_identity text, provider text, account text, identity text) RETURNS text
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
BEGIN
	RETURN (SELECT format('<h2>What %s does, day by day</h2><section><p>A row for each IAM operation, over the days that are remembered, '
			'in the order in which they were first done. What is usual runs from the left; what is new stands at the right.</p>%s'
			'<div class="legend"><span><i style="--c:var(--any)"></i>active</span><span><i style="--c:var(--usual)"></i>IAM operation</span>'
			'<span><i class="sens-1"></i>alert, sensitivity 1</span><span><i class="sens-2"></i>2</span><span><i class="sens-3"></i>3</span>'
			'<span><i class="sens-4"></i>4</span><span>&#10007; failed</span></div></section>',
			iamwatch_internal.html(iamwatch.short_name(who.identity)), c.picture)
	FROM (SELECT i.provider, i.account, i.identity FROM iamwatch.identities AS i
			WHERE $1 IS NOT NULL AND i.identity = $1
			UNION ALL
			SELECT $2, $3, $4 WHERE $1 IS NULL) AS who
	CROSS JOIN LATERAL iamwatch_internal.report_calendar(who.provider, who.account, who.identity) AS c (picture)
	WHERE c.picture IS NOT NULL
	ORDER BY who.provider, who.account LIMIT 1);
END $$;
COMMENT ON FUNCTION iamwatch_internal.report_usual(text, text, text, text) IS
'the calendar of an identity that was asked for, or else of the other one given, with what it shows; null if there is none';

CREATE FUNCTION iamwatch.report(since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL,
	of_identity text DEFAULT NULL) RETURNS text
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET extra_float_digits = 1 SET jit = off AS $$
DECLARE
	most constant integer := 500;
	chosen bigint[];
	shown record;
	totals record;
	whose record;
	calendar text;
	matrix text;
BEGIN
	since := nullif(since, '-infinity');
	until := nullif(until, 'infinity');
	IF NOT isfinite(since) OR NOT isfinite(until) THEN
		RAISE EXCEPTION 'a report cannot begin at the end of time, nor end at its beginning'
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Leave since or until out for no bound.';
	END IF;
	-- one reading; what is grouped by comes out of a fence, as the planner would sort a million rows for fear of as many groups
	SELECT coalesce(sum(c.n), 0) AS alerts, coalesce(sum(c.unread), 0) AS unread, sum(c.events) AS events, min(c.first) AS first, max(c.last) AS last,
		array_agg((c.day, c.severity, c.technique, c.n)::iamwatch_internal.report_count) AS counts
	INTO totals
	FROM (
		SELECT x.day, x.severity, x.technique, count(*) AS n, sum(x.event_count) AS events, count(*) FILTER (WHERE x.status = 'new') AS unread,
			min(x.first_event_time) AS first, max(x.first_event_time) AS last
		FROM (SELECT (a.first_event_time AT TIME ZONE 'UTC')::date AS day, a.severity, a.technique, a.event_count, a.status, a.first_event_time
			FROM iamwatch.alerts AS a
			WHERE a.first_event_time >= coalesce(since, '-infinity') AND a.first_event_time < coalesce(until, 'infinity') OFFSET 0) AS x
		GROUP BY x.day, x.severity, x.technique) AS c;
	since := coalesce(since, date_trunc('day', LEAST(totals.first, totals.last - interval '29 days')), date_trunc('day', now()));
	until := coalesce(until, totals.last + interval '1 microsecond', since + interval '1 day');

	SELECT sum(w.n) AS incidents, count(*) FILTER (WHERE w.begins) AS identities, count(DISTINCT w.account) FILTER (WHERE w.begins) AS accounts
	INTO whose
	FROM (
		SELECT count(*) AS n, bool_or(x.begins) AS begins, min(x.account) AS account
		FROM (SELECT hash_record_extended((i.provider, i.account, i.identity), 0) AS who, hash_record_extended((i.provider, i.account), 0) AS account,
				i.first_event_time >= since OR EXISTS (SELECT FROM iamwatch.alerts AS a
					WHERE a.alert_id = ANY (i.alert_ids) AND a.first_event_time >= since AND a.first_event_time < until) AS begins
			FROM iamwatch_internal.current_incidents AS i
			WHERE i.first_event_time < until AND i.last_event_time >= since OFFSET 0) AS x
		GROUP BY x.who) AS w;

	-- so many alerts of each are in its story that 500 incidents stay under 2 MB;
	-- those that are chosen first, so that only of them it is asked what is urgent and linked;
	-- each half is in the order of an index
	WITH open AS MATERIALIZED (
		SELECT x.incident_id, x.risk FROM iamwatch_internal.current_incidents AS x
		WHERE x.open_alerts > 0 AND x.first_event_time < until AND x.last_event_time >= since
		ORDER BY x.risk DESC, x.incident_id LIMIT most
	), closed AS MATERIALIZED (
		SELECT x.incident_id, x.risk FROM iamwatch_internal.current_incidents AS x
		WHERE x.open_alerts = 0 AND x.first_event_time < until AND x.last_event_time >= since
		AND (SELECT count(*) FROM open) < most
		ORDER BY x.risk DESC, x.incident_id LIMIT most
	), chosen AS (
		SELECT c.*, row_number() OVER (ORDER BY c.half, c.risk DESC, c.incident_id) AS place
		FROM (SELECT 1 AS half, o.* FROM open AS o UNION ALL SELECT 2, c.* FROM closed AS c) AS c
		ORDER BY place LIMIT most
	)
	SELECT array_agg(c.incident_id ORDER BY c.place), max(c.risk) AS highest, LEAST(100, GREATEST(3, 1800 / GREATEST(count(*), 1)))::integer AS story
	INTO shown FROM chosen AS c;
	chosen := shown.array_agg;
	SELECT string_agg(iamwatch_internal.report_incident(i, shown.highest, c.place, shown.story), '' ORDER BY c.place) AS articles,
		coalesce(whose.incidents, 0) AS total, count(*) AS n, count(*) FILTER (WHERE i.urgent AND i.open_alerts > 0) AS urgent,
		(array_agg(i.provider ORDER BY c.place))[1] AS provider, (array_agg(i.account ORDER BY c.place))[1] AS account,
		(array_agg(i.identity ORDER BY c.place))[1] AS identity
	INTO shown
	FROM unnest(chosen) WITH ORDINALITY AS c (incident_id, place)
	JOIN LATERAL (SELECT x.* FROM iamwatch.incidents AS x WHERE x.incident_id = c.incident_id OFFSET 0) AS i ON true;

	calendar := iamwatch_internal.report_usual(of_identity, shown.provider, shown.account, shown.identity);
	matrix := iamwatch_internal.report_matrix(since, until, totals.counts);

	RETURN format('<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
		'<meta http-equiv="Content-Security-Policy" content="default-src ''none''; style-src ''unsafe-inline''; script-src ''sha256-%s''">'
		'<title>iamwatch: unusual IAM activity</title><style>%s</style></head><body><main>'
		'<h1>Unusual IAM activity</h1><p>%s to %s (UTC), database %s</p>'
		'<div class="tiles"><div><b>%s</b><span>urgent incidents</span></div><div><b>%s</b><span>alerts</span></div><div><b>%s</b><span>incidents</span></div>'
		'<div><b>%s</b><span>identities</span></div><div><b>%s</b><span>accounts</span></div>'
		'<div><b>%s</b><span>events</span></div><div><b>%s</b><span>not looked at yet</span></div></div>'
		'<h2>Incidents</h2><p>Alerts of one identity that belong together, open ones first, highest risk first: risk in bits, who, where, and of the riskiest alert '
		'what, on what, from where and what makes it stronger. Click on a line for its story.</p>'
		'<div class="controls" hidden><input type="search" placeholder="filter by any words" aria-label="filter"/><select aria-label="account"><option value="">all accounts</option></select>'
		'<select aria-label="severity"><option value="">all severities</option>%s</select><label><input type="checkbox"/> urgent only</label>'
		'<label><input type="checkbox"/> open only</label><output></output></div>%s%s'
		'<h2>Alerts over time</h2><section>%s<div class="legend">%s</div></section>%s%s'
		'<footer>Made by iamwatch %s at %s UTC.</footer></main><script>%s</script></body></html>',
		encode(sha256(convert_to(iamwatch_internal.report_script(), 'SQL_ASCII')), 'base64'),
		iamwatch_internal.report_style(), to_char(since, 'FMDD Mon YYYY'), to_char(until - interval '1 microsecond', 'FMDD Mon YYYY'),
		iamwatch_internal.html(current_database()::text), shown.urgent,
		to_char(totals.alerts, 'FM999,999,999,990'), to_char(coalesce(shown.total, 0), 'FM999,999,999,990'),
		to_char(whose.identities, 'FM999,999,999,990'), to_char(whose.accounts, 'FM999,999,999,990'),
		to_char(coalesce(totals.events, 0), 'FM999,999,999,990'), to_char(totals.unread, 'FM999,999,999,990'),
		(SELECT string_agg(format('<option>%s</option>', s), '' ORDER BY n)
		 FROM unnest('{informational,low,medium,high,critical}'::text[]) WITH ORDINALITY AS u (s, n)),
		coalesce(shown.articles, '<section><p>No alerts in this period.</p></section>'),
		CASE WHEN shown.total > shown.n THEN format('<p>%s more incidents are not shown.</p>', shown.total - shown.n) ELSE '' END,
		iamwatch_internal.report_timeline(since, until, totals.counts),
		(SELECT string_agg(format('<span><i class="sev-%1$s"></i>%1$s</span>', s), '' ORDER BY n)
		 FROM unnest('{informational,low,medium,high,critical}'::text[]) WITH ORDINALITY AS u (s, n)),
		CASE WHEN matrix IS NOT NULL THEN '<h2>Techniques by day</h2><section>' || matrix || '</section>' ELSE '' END,
		coalesce(calendar, ''), (SELECT x.extversion FROM pg_extension AS x WHERE x.extname = 'iamwatch'),
		to_char(now(), 'YYYY-MM-DD HH24:MI'), iamwatch_internal.report_script());
END $$;
COMMENT ON FUNCTION iamwatch.report(timestamptz, timestamptz, text) IS
'an HTML page of the alerts whose first event, and the incidents of which any event, is in the period (until not included; all if not given), to look at: up to 500 incidents, open ones and high risks first, a line each that opens to its story, which can be filtered; alerts over time, techniques by day, and the calendar of an identity (that of the first incident if not given). Nothing is loaded from elsewhere, its one script is named by its hash, and all data is escaped. 22023 for a period that is none';
