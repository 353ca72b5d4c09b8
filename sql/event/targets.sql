-- Where a document names what an operation was done to, and what it granted.
-- Paths are data, read by the functions that read documents, never SQL.

CREATE TABLE iamwatch_internal.target_paths (
	provider text NOT NULL,
	service text NOT NULL,
	operation text NOT NULL,
	match text NOT NULL DEFAULT 'exact' CHECK (match IN ('exact', 'suffix')),
	target text[],
	granted text[],
	PRIMARY KEY (provider, service, operation, match),
	CONSTRAINT target_paths_of_azure CHECK (provider <> 'azure' OR (service || operation) = lower((service || operation) COLLATE "C"))
);
COMMENT ON TABLE iamwatch_internal.target_paths IS
'paths to what an operation was done to and to what it granted. The row of the operation decides, else that with the longest suffix, else that of the service for all operations, else that of the provider. Steps are divided by dots: name, name[] for all elements, name[key=value] for those whose field is that, name[0] for one, from the end if negative, (last) behind any of them for what follows the last slash; the last step may be {a} {b}, fields of what was reached. Filled from data/targets';
COMMENT ON COLUMN iamwatch_internal.target_paths.provider IS 'aws, gcp, azure, or one of iamwatch.providers';
COMMENT ON COLUMN iamwatch_internal.target_paths.service IS 'as in iamwatch.operations; * for any; of Azure in lower case';
COMMENT ON COLUMN iamwatch_internal.target_paths.operation IS 'as in iamwatch.operations; * for all of the service; of Azure in lower case';
COMMENT ON COLUMN iamwatch_internal.target_paths.match IS 'exact, or suffix for operations that end so';
COMMENT ON COLUMN iamwatch_internal.target_paths.target IS 'the first path that finds something names what was changed; null to leave it to a less exact row';
COMMENT ON COLUMN iamwatch_internal.target_paths.granted IS 'all that the first path finds, if it finds something, was granted; null as for the target';

CREATE TRIGGER settings_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON iamwatch_internal.target_paths
	FOR EACH STATEMENT EXECUTE FUNCTION iamwatch_internal.settings_changed();
ALTER TABLE iamwatch_internal.target_paths ENABLE ALWAYS TRIGGER settings_changed;
-- What a subscription applies fires no statement triggers.
CREATE TRIGGER settings_applied AFTER INSERT OR UPDATE OR DELETE ON iamwatch_internal.target_paths
	FOR EACH ROW EXECUTE FUNCTION iamwatch_internal.settings_changed();
ALTER TABLE iamwatch_internal.target_paths ENABLE REPLICA TRIGGER settings_applied;
