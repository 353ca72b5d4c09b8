-- Everything that the system catalogs have of the extension, a line each,
-- without anything that differs from one database to the next, such as the number
-- pg_attver that some servers keep in attoptions.
SET search_path = pg_catalog;
WITH member AS (
	SELECT d.classid, d.objid, o.type, o.identity
	FROM pg_depend AS d, pg_extension AS e, LATERAL pg_identify_object(d.classid, d.objid, 0) AS o
	WHERE e.extname = 'iamwatch' AND d.deptype = 'e' AND d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
), relation AS (
	SELECT c.*, m.identity FROM pg_class AS c JOIN member AS m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid
), held AS (	-- members, and what belongs to members
	SELECT classid, objid FROM member
	UNION SELECT d.classid, d.objid FROM pg_depend AS d JOIN member AS m ON m.classid = d.refclassid AND m.objid = d.refobjid
	WHERE d.deptype IN ('a', 'i')
), line (line) AS (
	SELECT concat_ws('|', 'member', type, identity, obj_description(objid, classid::regclass::text::name)) FROM member
	UNION ALL
	SELECT concat_ws('|', 'relation', identity, relkind, relpersistence, relreplident, relrowsecurity, reloptions, relowner::regrole,
		am.amname, array(SELECT a::text FROM unnest(relacl) AS a ORDER BY 1), CASE relkind WHEN 'v' THEN pg_get_viewdef(r.oid) END)
	FROM relation AS r LEFT JOIN pg_am AS am ON am.oid = r.relam
	UNION ALL
	SELECT concat_ws('|', 'column', identity, attnum, attname, format_type(atttypid, atttypmod), attnotnull, attidentity, attgenerated,
		attstorage, attcompression, attstattarget, attcollation::regcollation, array(SELECT o FROM unnest(attoptions) AS o WHERE o !~ '^pg_attver='), attacl, attisdropped,
		pg_get_expr(d.adbin, d.adrelid), col_description(attrelid, attnum))
	FROM relation AS r JOIN pg_attribute AS a ON a.attrelid = r.oid AND a.attnum > 0
	LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
	UNION ALL
	SELECT concat_ws('|', 'constraint', identity, conname, convalidated, pg_get_constraintdef(c.oid), obj_description(c.oid, 'pg_constraint'))
	FROM relation AS r JOIN pg_constraint AS c ON c.conrelid = r.oid
	UNION ALL
	SELECT concat_ws('|', 'index', identity, pg_get_indexdef(i.indexrelid), i.indisvalid, i.indisreplident, c.reloptions, obj_description(i.indexrelid, 'pg_class'))
	FROM relation AS r JOIN pg_index AS i ON i.indrelid = r.oid JOIN pg_class AS c ON c.oid = i.indexrelid
	UNION ALL
	SELECT concat_ws('|', 'trigger', identity, pg_get_triggerdef(t.oid), tgenabled, obj_description(t.oid, 'pg_trigger'))
	FROM relation AS r JOIN pg_trigger AS t ON t.tgrelid = r.oid
	UNION ALL
	SELECT concat_ws('|', 'sequence', identity, s.seqtypid::regtype, seqstart, seqincrement, seqmin, seqmax, seqcache, seqcycle)
	FROM relation AS r JOIN pg_sequence AS s ON s.seqrelid = r.oid
	UNION ALL
	SELECT concat_ws('|', 'function', identity, p.proowner::regrole, array(SELECT a::text FROM unnest(p.proacl) AS a ORDER BY 1), p.prosupport,
		CASE WHEN p.prokind = 'a' THEN concat_ws('|', a.aggkind, a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggserialfn, a.aggdeserialfn,
			a.aggtranstype::regtype, a.aggtransspace, a.agginitval, a.aggfinalextra, a.aggfinalmodify, p.proparallel)
		ELSE pg_get_functiondef(p.oid) END)
	FROM member AS m JOIN pg_proc AS p ON m.classid = 'pg_proc'::regclass AND p.oid = m.objid
	LEFT JOIN pg_aggregate AS a ON a.aggfnoid = p.oid
	UNION ALL
	SELECT concat_ws('|', 'type', identity, typlen, typbyval, typtype, typcategory, typispreferred, typdelim, typinput, typoutput, typreceive,
		typsend, typmodin, typanalyze, typalign, typstorage, typnotnull, typbasetype::regtype, typdefault, typcollation::regcollation, typacl)
	FROM member AS m JOIN pg_type AS t ON m.classid = 'pg_type'::regclass AND t.oid = m.objid
	UNION ALL
	SELECT concat_ws('|', 'operator', identity, oprkind, oprcanmerge, oprcanhash, oprresult::regtype, oprcom::regoperator,
		oprnegate::regoperator, oprcode, oprrest, oprjoin)
	FROM member AS m JOIN pg_operator AS o ON m.classid = 'pg_operator'::regclass AND o.oid = m.objid
	UNION ALL
	SELECT concat_ws('|', 'cast', identity, castfunc::regprocedure, castcontext, castmethod)
	FROM member AS m JOIN pg_cast AS c ON m.classid = 'pg_cast'::regclass AND c.oid = m.objid
	UNION ALL
	SELECT concat_ws('|', 'dump', c.id::regclass, e.extcondition[c.n])
	FROM pg_extension AS e CROSS JOIN LATERAL unnest(e.extconfig) WITH ORDINALITY AS c (id, n) WHERE e.extname = 'iamwatch'
	UNION ALL
	SELECT concat_ws('|', 'extension', extversion, extnamespace::regnamespace, extrelocatable, extowner::regrole)
	FROM pg_extension WHERE extname = 'iamwatch'
	UNION ALL
	SELECT concat_ws('|', 'initial privileges', o.identity, i.objsubid, i.privtype, array(SELECT a::text FROM unnest(i.initprivs) AS a ORDER BY 1))
	FROM pg_init_privs AS i JOIN member AS o ON o.classid = i.classoid AND o.objid = i.objoid
	UNION ALL
	SELECT DISTINCT concat_ws('|', 'dependency', a.type, a.identity, d.deptype, b.type, b.identity)
	FROM held JOIN pg_depend AS d USING (classid, objid),
		LATERAL pg_identify_object(d.classid, d.objid, d.objsubid) AS a, LATERAL pg_identify_object(d.refclassid, d.refobjid, d.refobjsubid) AS b
	WHERE a.type NOT IN ('default value', 'toast table') AND b.type <> 'toast table'
	UNION ALL
	SELECT 'catalogue|' || o::text FROM iamwatch.operations AS o
	UNION ALL
	SELECT 'detector|' || d::text FROM iamwatch.detectors AS d
	UNION ALL
	SELECT 'limit|' || (x.row)::text	-- a table that the first version did not have
	FROM relation AS r, LATERAL unnest(xpath('/table/row', query_to_xml('SELECT * FROM iamwatch.limits', false, false, ''))) AS x (row)
	WHERE r.relname = 'limits'
)
SELECT replace(line, E'\n', '\n') FROM line ORDER BY line COLLATE "C";
