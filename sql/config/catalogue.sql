-- The catalogue of operations; the shipped rows follow in a part that is made of
-- data/catalogue.

CREATE TABLE iamwatch.operations (
	provider text NOT NULL CHECK (provider ~ '^[a-z][a-z0-9_]{0,62}$'),
	service text NOT NULL CHECK (service <> ''),
	operation text NOT NULL CHECK (operation <> ''),
	match text NOT NULL DEFAULT 'exact' CHECK (match IN ('exact', 'suffix')),
	category text NOT NULL CHECK (category <> ''),
	effect text NOT NULL CHECK (effect IN ('create', 'modify', 'delete', 'read')),
	attack_technique text,
	sensitivity integer NOT NULL DEFAULT 1 CHECK (sensitivity BETWEEN 1 AND 4),
	note text,
	origin text NOT NULL DEFAULT 'user' CHECK (origin IN ('user', 'iamwatch')),
	PRIMARY KEY (provider, service, operation, match, origin)
);
-- Most events are of operations that are not here; a session that knows nothing yet
-- sees that in this index alone (catalogue_lacks() in src/config/catalogue.c).  Of a
-- suffix row it has the end, or nothing of one that is shorter, as no shipped one is.
-- Of integer, as the index of identities that the session opens next: what compares
-- them is then looked up once.
CREATE INDEX operations_names ON iamwatch.operations (hashtext(provider || ' ' || CASE
	WHEN match = 'exact' THEN lower(operation COLLATE "C")
	WHEN length(operation) < 4 THEN ''
	ELSE right(lower(operation COLLATE "C"), 4) END));
COMMENT ON TABLE iamwatch.operations IS
'the catalogue: which operations are IAM operations. Your own rows have origin user, win over the shipped ones, and survive dumps and upgrades';
COMMENT ON COLUMN iamwatch.operations.provider IS 'aws, gcp, azure, or one of iamwatch.providers';
COMMENT ON COLUMN iamwatch.operations.service IS 'as in the event; * for any service';
COMMENT ON COLUMN iamwatch.operations.operation IS 'the whole name, or with match suffix how it ends';
COMMENT ON COLUMN iamwatch.operations.effect IS
'create, modify, delete or read; read is watched only by a detector whose effects have it, and so are the categories session and sign_in where its categories name them';
COMMENT ON COLUMN iamwatch.operations.sensitivity IS '1 low to 4 direct foothold or privilege escalation';
SELECT pg_catalog.pg_extension_config_dump('iamwatch.operations', $$WHERE origin = 'user'$$);

CREATE TRIGGER settings_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON iamwatch.operations
	FOR EACH STATEMENT EXECUTE FUNCTION iamwatch_internal.settings_changed();
ALTER TABLE iamwatch.operations ENABLE ALWAYS TRIGGER settings_changed;
CREATE TRIGGER settings_applied AFTER INSERT OR UPDATE OR DELETE ON iamwatch.operations
	FOR EACH ROW EXECUTE FUNCTION iamwatch_internal.settings_changed();
ALTER TABLE iamwatch.operations ENABLE REPLICA TRIGGER settings_applied;

CREATE FUNCTION iamwatch_internal.own_operation() RETURNS trigger
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	NEW.origin := 'user';
	RETURN NEW;
END $$;
COMMENT ON FUNCTION iamwatch_internal.own_operation() IS
'trigger: a shipped row that somebody changed is theirs, so that dumps and upgrades keep it';
CREATE TRIGGER own_operation BEFORE UPDATE ON iamwatch.operations
	FOR EACH ROW WHEN (OLD.origin = 'iamwatch') EXECUTE FUNCTION iamwatch_internal.own_operation();

CREATE FUNCTION iamwatch_internal.is_iam(provider text, service text, operation text) RETURNS boolean
	AS 'MODULE_PATHNAME', 'iamwatch_is_iam' LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION iamwatch_internal.is_iam(text, text, text) IS
'whether an operation that is remembered is an IAM operation, and not one that a detector watches beside these; false for a null one';

CREATE FUNCTION iamwatch.find_operation(provider text, service text, operation text)
	RETURNS iamwatch.operations
	LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	found_row iamwatch.operations;
BEGIN
	-- Azure compares names without regard to case
	IF $1 = 'azure' THEN
		SELECT * INTO found_row FROM iamwatch.operations AS o
		WHERE o.provider = 'azure' AND lower(o.service COLLATE "C") IN (lower($2 COLLATE "C"), '*')
		AND CASE o.match WHEN 'exact' THEN lower(o.operation COLLATE "C") = lower($3 COLLATE "C")
			ELSE right(lower($3 COLLATE "C"), length(o.operation)) = lower(o.operation COLLATE "C") END
		ORDER BY o.match <> 'exact', CASE o.match WHEN 'suffix' THEN length(o.operation) END DESC,
			o.service = '*', o.origin <> 'user'
		LIMIT 1;
		RETURN found_row;
	END IF;
	SELECT * INTO found_row FROM iamwatch.operations AS o
	WHERE o.provider = $1 AND o.service IN ($2, '*') AND o.operation = $3 AND o.match = 'exact'
	ORDER BY o.service = '*', o.origin <> 'user'
	LIMIT 1;
	IF NOT FOUND THEN
		SELECT * INTO found_row FROM iamwatch.operations AS o
		WHERE o.provider = $1 AND o.service IN ($2, '*') AND o.match = 'suffix'
		AND right($3, length(o.operation)) = o.operation
		ORDER BY length(o.operation) DESC, o.service = '*', o.origin <> 'user'
		LIMIT 1;
	END IF;
	RETURN found_row;
END $$;
COMMENT ON FUNCTION iamwatch.find_operation(text, text, text) IS
'the row of the catalogue that an operation falls under, or null: an exact row before a suffix row, the longest suffix, a named service before any, a user''s row before a shipped one; names of Azure in any case';
