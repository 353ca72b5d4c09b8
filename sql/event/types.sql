-- What an audit event is once it has been read.

CREATE TYPE iamwatch.event AS (
	provider text,
	account text,
	event_id text,
	event_time timestamptz,
	identity text,
	identity_kind text,
	is_user boolean,
	service text,
	operation text,
	failed boolean,
	error_code text,
	source_ip inet,
	source_host text,
	user_agent text,
	region text,
	instance_id text,
	target text,
	granted text,
	acting_for text
);
COMMENT ON TYPE iamwatch.event IS 'a normalised audit event of any provider';
COMMENT ON COLUMN iamwatch.event.provider IS 'aws, gcp, azure, or one of iamwatch.providers';
COMMENT ON COLUMN iamwatch.event.account IS 'AWS account id, GCP project id; Azure subscription id of Activity events, tenant id of Entra ones';
COMMENT ON COLUMN iamwatch.event.event_id IS 'AWS eventID, GCP insertId, Entra id, Azure eventDataId; null if missing';
COMMENT ON COLUMN iamwatch.event.event_time IS 'when it happened, to the microsecond';
COMMENT ON COLUMN iamwatch.event.identity IS 'the principal that persists, not its session';
COMMENT ON COLUMN iamwatch.event.identity_kind IS
'root, user, federated_user, anonymous, unknown (people); role, instance, service, service_account, workload, account (not)';
COMMENT ON COLUMN iamwatch.event.is_user IS 'whether the identity is a person';
COMMENT ON COLUMN iamwatch.event.service IS 'AWS eventSource without .amazonaws.com or .amazonaws.com.cn, GCP serviceName, Entra loggedByService, Azure resource provider';
COMMENT ON COLUMN iamwatch.event.operation IS 'AWS eventName, GCP methodName, Entra activityDisplayName, Azure operationName in lower case';
COMMENT ON COLUMN iamwatch.event.failed IS 'whether the provider refused it';
COMMENT ON COLUMN iamwatch.event.error_code IS 'AWS errorCode, GCP status.code, Entra resultReason, Azure resultSignature';
COMMENT ON COLUMN iamwatch.event.source_ip IS 'of a list the first public address, else the first; without port; null when the log names no address';
COMMENT ON COLUMN iamwatch.event.source_host IS 'where it came from when that is no address: the host of a service, AWS Internal, private';
COMMENT ON COLUMN iamwatch.event.instance_id IS 'the AWS instance, or the Azure virtual machine, that the identity acts as';
COMMENT ON COLUMN iamwatch.event.target IS 'what it was done to, as far as the log says: the user, role, policy, key, group, service account, bucket, share';
COMMENT ON COLUMN iamwatch.event.granted IS 'what was granted: a policy, a role, a member, bindingDeltas; null where nothing is';
COMMENT ON COLUMN iamwatch.event.acting_for IS 'whom the log names behind the identity: AWS sourceIdentity, onBehalfOf, invokedBy; GCP serviceAccountDelegationInfo';
