-- Tables of which every session keeps a copy (src/server/cached_table.c): each has
-- two triggers that call this function, one for each statement and, since what a
-- subscription applies fires none for statements, one for each row of those.

CREATE FUNCTION iamwatch_internal.settings_changed() RETURNS trigger
	AS 'MODULE_PATHNAME', 'iamwatch_settings_changed' LANGUAGE C;
COMMENT ON FUNCTION iamwatch_internal.settings_changed() IS
'trigger: every session reads the table again before its next event';
