/*-------------------------------------------------------------------------
 *
 * event_unknown.c
 *		What a document is that is no event of any provider.
 *
 * Owns the advice that unreadable() and iamwatch.rejected_events give: most
 * such documents are wrapped events, or lie in the same folders as events.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "event/field.h"

/* Fields that hold many records, in a file or in an answer of an API. */
static const char *const lists[] = {
	"Records", "records", "logEvents", "Events", "events", "value", "entries", "Messages",
	"receivedMessages", "QueryResultRows"
};

/* Two fields that an envelope has, of one record or of several. */
static const char *const envelopes[][3] = {
	{"Message", "TopicArn", "a message of SNS"},
	{"Message", "Type", "a message of SNS"},
	{"body", "receiptHandle", "a message of SQS"},
	{"Body", "ReceiptHandle", "a message of SQS"},
	{"message", "subscription", "a message of Pub/Sub"},
	{"message", "ackId", "a message of Pub/Sub"},
	{"data", "messageId", "a message of Pub/Sub"},
	{"data", "specversion", "a CloudEvent"},
	{"detail", "detail-type", "an event of EventBridge"},
	{"CloudTrailEvent", "EventId", "an event of lookup-events"},
	{"kinesis", "eventID", "a record of Kinesis"},
	{"Sns", "EventSource", "a message of SNS"},
	{"data", "recordId", "a record of Firehose"},
	{"Data", "PartitionKey", "a record of Kinesis"},
	{"class_uid", "metadata", "an event of OCSF"},
	{"class_uid", "time", "an event of OCSF"},
	{"@timestamp", "message", "what a shipper wrote"},
	{"@timestamp", "event", "what a shipper wrote"},
	{"integration", "aws", "what Wazuh wrote"}
};

static bool
has(JsonbContainer *doc, const char *name)
{
	JsonbValue	value;

	return getKeyJsonValueFromContainer(doc, name, strlen(name), &value) != NULL &&
		value.type != jbvNull;
}

static bool
has_list(JsonbContainer *doc, const char *name)
{
	JsonbValue	value;

	return getKeyJsonValueFromContainer(doc, name, strlen(name), &value) != NULL &&
		value.type == jbvBinary && JsonContainerIsArray(value.val.binary.data);
}

void
event_explain_unknown(JsonbContainer *doc, bool is_unknown, const char **reason)
{
	if (has(doc, "digestS3Bucket") || has(doc, "digestStartTime"))
	{
		*reason = "is a CloudTrail digest: not an event";
		return;
	}
	for (int i = 0; i < lengthof(envelopes); i++)
		if (has(doc, envelopes[i][0]) && has(doc, envelopes[i][1]))
		{
			*reason = psprintf("looks like %s: use iamwatch.records()", envelopes[i][2]);
			return;
		}
	for (int i = 0; i < lengthof(lists); i++)
		if (has_list(doc, lists[i]))
		{
			*reason = "looks like a file of records: use iamwatch.records()";
			return;
		}
	if (has(doc, "protopayload_auditlog") || has(doc, "proto_payload"))
		*reason = "looks like a row of BigQuery or Steampipe: use iamwatch.records()";
	else if (has(doc, "eventJson"))
		*reason = "looks like a row of CloudTrail Lake: use iamwatch.records()";
	else if (has(doc, "awslogs"))
		*reason = "looks like a message of CloudWatch Logs: use iamwatch.records()";
	else if (has(doc, "RecordType") && has(doc, "Workload") && has(doc, "CreationTime"))
		*reason = "is of the Microsoft 365 audit log, which is not read: the Entra audit log has its events";
	else if (has(doc, "logName") && (has(doc, "textPayload") || has(doc, "jsonPayload")))
		*reason = "is a log entry without protoPayload: not of a GCP audit log";
	else if (is_unknown && !has(doc, "eventName") && !has(doc, "userIdentity"))
		*reason = "of no provider: neither AWS (eventSource), GCP (protoPayload), Azure, nor one in iamwatch.providers";
}
