-- What to do about an alert: steps by category, by technique and by operation.

CREATE TABLE iamwatch.playbook (
	kind text NOT NULL CHECK (kind IN ('category', 'technique', 'operation')),
	name text NOT NULL CHECK (name <> ''),
	phase text NOT NULL CHECK (phase IN ('check', 'contain')),
	place integer NOT NULL DEFAULT 1 CHECK (place > 0),
	step text NOT NULL,
	origin text NOT NULL DEFAULT 'user' CHECK (origin IN ('user', 'iamwatch')),
	PRIMARY KEY (kind, name, phase, place, origin)
);
COMMENT ON TABLE iamwatch.playbook IS
'steps that iamwatch.explain() gives for an alert: those of its operation, then of its technique, then of its category. Your own rows have origin user, take the place of a shipped one with the same kind, name, phase and place, and survive dumps and upgrades; an empty step takes a shipped one out';
COMMENT ON COLUMN iamwatch.playbook.kind IS 'what the name is: category, technique or operation';
COMMENT ON COLUMN iamwatch.playbook.name IS 'a category of the catalogue, an ATT&CK technique, or SERVICE:OPERATION as in an alert';
COMMENT ON COLUMN iamwatch.playbook.phase IS 'check: find out whether it is an attack; contain: end it';
COMMENT ON COLUMN iamwatch.playbook.place IS 'order of the steps of one name and phase';
COMMENT ON COLUMN iamwatch.playbook.step IS
'one sentence; {identity}, {target}, {granted} and {account} stand for those of the alert';
SELECT pg_catalog.pg_extension_config_dump('iamwatch.playbook', $$WHERE origin = 'user'$$);

INSERT INTO iamwatch.playbook (kind, name, phase, place, step, origin)
SELECT kind, name, phase, row_number() OVER (PARTITION BY kind, name, phase ORDER BY n), step, 'iamwatch'
FROM (SELECT *, row_number() OVER () AS n FROM (VALUES
	('category', 'account', 'check', 'Find who asked for {target}: a ticket, a new colleague, a pipeline.'),
	('category', 'account', 'check', 'See what {target} did since, and from where.'),
	('category', 'account', 'contain', 'Disable {target} and end all sessions; delete nothing before the traces are kept.'),
	('category', 'credential', 'check', 'Find out who holds the new credential of {target}, and where it is used from.'),
	('category', 'credential', 'contain', 'Deactivate the credential of {target}, then every other one that {identity} made or could read.'),
	('category', 'detection', 'check', 'Find what was not recorded or reported since, and read it elsewhere.'),
	('category', 'detection', 'contain', 'Switch it on again, from an identity other than {identity}, and keep what it still has.'),
	('category', 'federation', 'check', 'Compare issuer, certificate and audience of {target} with what your identity provider has.'),
	('category', 'federation', 'contain', 'Remove the trust in {target}, and end the sessions that came through it.'),
	('category', 'group', 'check', 'See which permissions the group {target} gives, and to whom now.'),
	('category', 'group', 'contain', 'Take the new members out of {target}.'),
	('category', 'mfa', 'check', 'Ask the owner of {target}, on another channel, whether they changed their second factor.'),
	('category', 'mfa', 'contain', 'Remove second factors that the owner of {target} does not know, set theirs again, and end all sessions.'),
	('category', 'org_policy', 'check', 'Find which guard rail fell, for which accounts, and what was done there since.'),
	('category', 'org_policy', 'contain', 'Put the policy of {target} back as it was.'),
	('category', 'other', 'check', 'Read what the operation changes in the provider''s documentation, and whether {target} is of importance.'),
	('category', 'other', 'contain', 'Undo the change of {target}.'),
	('category', 'permission', 'check', 'See what {target} may do now, and could not before: {granted}.'),
	('category', 'permission', 'contain', 'Take the permission from {target} again, and from whom it could have passed it on to.'),
	('category', 'resource_policy', 'check', 'See who outside of the account {account} may reach {target} now, and whether they did.'),
	('category', 'resource_policy', 'contain', 'Put the policy of {target} back as it was.'),
	('category', 'role', 'check', 'See who may assume {target}, and who did.'),
	('category', 'role', 'contain', 'Let nobody assume {target}, and revoke the sessions that exist.'),
	('category', 'session', 'check', 'See what was done in the session, and from where.'),
	('category', 'session', 'contain', 'Revoke the sessions of {identity}.'),
	('category', 'sign_in', 'check', 'Ask {identity}, on another channel, whether it was them.'),
	('category', 'sign_in', 'contain', 'Reset the credentials of {identity} and end its sessions.'),
	('technique', 'T1078.004', 'check', 'Compare address and program with where {identity} usually comes from.'),
	('technique', 'T1078.004', 'contain', 'Reset the credentials of {identity}.'),
	('technique', 'T1098', 'check', 'List everything that {identity} changed on that day, not only what was unusual.'),
	('technique', 'T1098', 'contain', 'Undo the changes of {identity} from the last to the first.'),
	('technique', 'T1098.001', 'check', 'List all credentials of {target}, with the time of creation and of last use.'),
	('technique', 'T1098.001', 'contain', 'Revoke the credentials of {target} that nobody answers for.'),
	('technique', 'T1098.003', 'check', 'Find out whether {target} can gain more permissions by {granted}.'),
	('technique', 'T1098.003', 'contain', 'Remove the role or policy, and look for others that were given in the same hour.'),
	('technique', 'T1098.004', 'check', 'See which machines accept the key.'),
	('technique', 'T1098.004', 'contain', 'Remove the key, and end the sessions on those machines.'),
	('technique', 'T1098.005', 'check', 'Ask the owner whether the device is theirs.'),
	('technique', 'T1098.005', 'contain', 'Remove the device, and revoke the tokens that were issued to it.'),
	('technique', 'T1098.006', 'check', 'See what the binding allows in the cluster, and which pods were started since.'),
	('technique', 'T1098.006', 'contain', 'Delete the binding or access entry.'),
	('technique', 'T1114.003', 'check', 'See where mail is sent to, and since when.'),
	('technique', 'T1114.003', 'contain', 'Remove the rule, and block the address that it sends to.'),
	('technique', 'T1136.003', 'check', 'See whether the name of {target} imitates one that exists.'),
	('technique', 'T1136.003', 'contain', 'Remove permissions and credentials of {target} before you delete it.'),
	('technique', 'T1484', 'check', 'Compare the policy with its last version that you know.'),
	('technique', 'T1484', 'contain', 'Restore that version.'),
	('technique', 'T1484.002', 'check', 'Find out who controls the party that is trusted now.'),
	('technique', 'T1484.002', 'contain', 'Remove the trust, and revoke what was issued by it.'),
	('technique', 'T1531', 'check', 'Find who lost access, and whether somebody else took over meanwhile.'),
	('technique', 'T1531', 'contain', 'Give access back from an account that the attacker does not reach.'),
	('technique', 'T1550.001', 'check', 'Find where the token or grant is used from.'),
	('technique', 'T1550.001', 'contain', 'Revoke the token or grant.'),
	('technique', 'T1556.006', 'check', 'See whether somebody signed in without a second factor since.'),
	('technique', 'T1556.006', 'contain', 'Demand a second factor again, and sign everybody concerned out.'),
	('technique', 'T1556.007', 'check', 'See which sign-ins went through the changed agent or connector.'),
	('technique', 'T1556.007', 'contain', 'Remove the agent, and reset the credentials that went through it.'),
	('technique', 'T1556.009', 'check', 'Compare the conditions with those before: which sign-ins are no longer asked?'),
	('technique', 'T1556.009', 'contain', 'Restore the policy, and end sessions that began without it.'),
	('technique', 'T1562.001', 'check', 'List the findings that the tool would have had since, from its raw data.'),
	('technique', 'T1562.001', 'contain', 'Switch the tool on, and forbid by policy to switch it off.'),
	('technique', 'T1562.008', 'check', 'Find since when events are missing, and whether another trail has them.'),
	('technique', 'T1562.008', 'contain', 'Start logging again into a bucket that {identity} does not reach.'),
	('operation', 'iam:CreateUser', 'check', 'See whether {target} got a password, a key or a policy in the minutes after.'),
	('operation', 'iam:CreateUser', 'contain', 'Attach AWSDenyAll to {target}, then remove keys and passwords.'),
	('operation', 'iam:CreateAccessKey', 'check', 'Look for the key in the log: accessKeyId in userIdentity, from which addresses.'),
	('operation', 'iam:CreateAccessKey', 'contain', 'Set the key to Inactive (iam UpdateAccessKey) before you delete it: its last use stays known.'),
	('operation', 'iam:CreateLoginProfile', 'check', 'See whether {target} signed in to the console since (ConsoleLogin).'),
	('operation', 'iam:CreateLoginProfile', 'contain', 'Delete the login profile of {target}; attach a policy that denies tokens issued before now.'),
	('operation', 'iam:UpdateLoginProfile', 'contain', 'Set another password of {target}; attach a policy that denies tokens issued before now.'),
	('operation', 'iam:AttachUserPolicy', 'contain', 'Detach {granted} from {target}.'),
	('operation', 'iam:AttachRolePolicy', 'contain', 'Detach {granted} from {target}, and revoke the sessions of the role.'),
	('operation', 'iam:AttachGroupPolicy', 'contain', 'Detach {granted} from {target}.'),
	('operation', 'iam:PutUserPolicy', 'contain', 'Delete the inline policy of {target}.'),
	('operation', 'iam:PutRolePolicy', 'contain', 'Delete the inline policy of {target}, and revoke the sessions of the role.'),
	('operation', 'iam:PutGroupPolicy', 'contain', 'Delete the inline policy of {target}.'),
	('operation', 'iam:CreatePolicyVersion', 'contain', 'Set the default version of {target} back, and delete the new one.'),
	('operation', 'iam:SetDefaultPolicyVersion', 'contain', 'Set the default version of {target} back.'),
	('operation', 'iam:UpdateAssumeRolePolicy', 'check', 'Look for principals of other accounts, and for *, in the new trust policy of {target}.'),
	('operation', 'iam:UpdateAssumeRolePolicy', 'contain', 'Put the trust policy of {target} back, and revoke the sessions of the role.'),
	('operation', 'iam:CreateRole', 'check', 'Look for principals of other accounts, and for *, in the trust policy of {target}.'),
	('operation', 'iam:AddUserToGroup', 'contain', 'Remove the user from {target}.'),
	('operation', 'iam:DeactivateMFADevice', 'contain', 'Ask {target} to enrol again after a new password.'),
	('operation', 'iam:CreateSAMLProvider', 'contain', 'Delete the provider; roles that trust it are useless without it.'),
	('operation', 'iam:CreateOpenIDConnectProvider', 'contain', 'Delete the provider; roles that trust it are useless without it.'),
	('operation', 'cloudtrail:StopLogging', 'contain', 'Start logging of {target} again (cloudtrail StartLogging).'),
	('operation', 'cloudtrail:DeleteTrail', 'contain', 'Create the trail again; the event history of 90 days is still there.'),
	('operation', 'guardduty:DeleteDetector', 'contain', 'Create the detector again, and export the findings of other regions.'),
	('operation', 's3:PutBucketPolicy', 'check', 'See whether objects of {target} were read by other accounts since (server access log, data events).'),
	('operation', 'organizations:LeaveOrganization', 'contain', 'Invite the account again; until then no policy of the organisation holds in it.'),
	('operation', 'iam.googleapis.com:google.iam.admin.v1.CreateServiceAccount', 'check', 'See which roles {target} got in the project since (SetIamPolicy).'),
	('operation', 'iam.googleapis.com:google.iam.admin.v1.CreateServiceAccountKey', 'check', 'Look for the key in the log: serviceAccountKeyName in authenticationInfo.'),
	('operation', 'iam.googleapis.com:google.iam.admin.v1.CreateServiceAccountKey', 'contain', 'Disable the key of {target}, then the service account, before you delete either.'),
	('operation', 'Core Directory:Add user', 'check', 'See which roles, groups and licences {target} got since.'),
	('operation', 'Core Directory:Add member to role', 'contain', 'Remove {target} from the role, and revoke all refresh tokens.'),
	('operation', 'Core Directory:Add service principal credentials', 'contain', 'Remove the secret or certificate from {target}, and revoke all consents.'),
	('operation', 'Core Directory:Consent to application', 'contain', 'Revoke the grants of the application, and disable it.')
	) AS shipped (kind, name, phase, step)) AS numbered;

CREATE FUNCTION iamwatch_internal.own_step() RETURNS trigger
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	NEW.origin := 'user';
	RETURN NEW;
END $$;
COMMENT ON FUNCTION iamwatch_internal.own_step() IS 'trigger: a shipped step that somebody changed is theirs, so that dumps and upgrades keep it';
CREATE TRIGGER own_step BEFORE UPDATE ON iamwatch.playbook
	FOR EACH ROW WHEN (OLD.origin = 'iamwatch') EXECUTE FUNCTION iamwatch_internal.own_step();

-- A step that no alert can ever show is one that is misspelled.
CREATE FUNCTION iamwatch_internal.check_step() RETURNS trigger
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	word text;
BEGIN
	-- a node is given what the coordinator has checked
	IF iamwatch_internal.is_restoring() OR iamwatch_internal.node_number() <> 0 THEN
		RETURN NEW;
	END IF;
	PERFORM iamwatch_internal.must_be_known('kind', NEW.kind, ARRAY['category', 'technique', 'operation']);
	PERFORM iamwatch_internal.must_be_known('phase', NEW.phase, ARRAY['check', 'contain']);
	IF NEW.kind = 'category' THEN
		PERFORM iamwatch_internal.must_be_known('category', NEW.name, iamwatch_internal.known_categories());
	ELSIF NEW.kind = 'operation' AND strpos(NEW.name, ':') = 0 THEN
		RAISE EXCEPTION 'operation "%" has no service', left(NEW.name, 200) USING ERRCODE = 'invalid_parameter_value',
			HINT = 'Write it as SERVICE:OPERATION, such as iam:CreateUser.';
	ELSIF NEW.kind = 'technique' AND NEW.name !~ '^T[0-9]{4}([.][0-9]{3})?$'
		AND NOT EXISTS (SELECT FROM iamwatch.operations AS o WHERE o.attack_technique = NEW.name)
		AND NOT EXISTS (SELECT FROM iamwatch.detectors AS d WHERE d.technique = NEW.name) THEN
		RAISE EXCEPTION '"%" is no technique of ATT&CK, of the catalogue or of a detector', left(NEW.name, 200)
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Write it as in iamwatch.alerts, such as T1098 or T1098.003.';
	END IF;
	FOR word IN SELECT m[1] FROM regexp_matches(NEW.step, '[{]([a-z_]+)[}]', 'g') AS m LOOP
		PERFORM iamwatch_internal.must_be_known('placeholder', word, ARRAY['identity', 'target', 'granted', 'account']);
	END LOOP;
	RETURN NEW;
END $$;
COMMENT ON FUNCTION iamwatch_internal.check_step() IS 'trigger: 22023 for a step that no alert can show, or with a placeholder that there is not';
CREATE TRIGGER check_step BEFORE INSERT OR UPDATE OF kind, name, phase, step ON iamwatch.playbook
	FOR EACH ROW EXECUTE FUNCTION iamwatch_internal.check_step();

CREATE FUNCTION iamwatch_internal.steps_for(alert iamwatch_internal.all_alerts, phase text) RETURNS jsonb
	LANGUAGE sql STABLE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
	SELECT coalesce(jsonb_agg(jsonb_build_object('for', s.kind || ' ' || s.name, 'step', replace(replace(replace(replace(s.step,
			'{identity}', coalesce(plain(iamwatch.short_name(alert.identity)), '')), '{account}', coalesce(plain(alert.account), '')),
			'{target}', some_of(alert.evidence->'targets', 'the target')),
			'{granted}', some_of(alert.evidence->'granted', 'what was granted')))
		ORDER BY array_position(ARRAY['operation', 'technique', 'category'], s.kind), s.place), '[]')
	FROM (SELECT DISTINCT ON (p.kind, p.place) p.kind, p.name, p.place, p.step
		FROM iamwatch.playbook AS p
		WHERE p.phase = $2 AND (p.kind, p.name) IN (('operation', alert.service || ':' || alert.operation),
			('technique', alert.technique), ('category', alert.category))
		ORDER BY p.kind, p.place, p.origin <> 'user') AS s
	WHERE s.step <> ''
$$;
COMMENT ON FUNCTION iamwatch_internal.steps_for(iamwatch_internal.all_alerts, text) IS
'the steps of a phase for an alert, with its names in them';
