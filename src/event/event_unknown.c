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
	"receivedMessages", "QueryResultRows", "results", "tables", "Tables", "resourceLogs"
};

/* Fields that only what holds records has, beside no others that tell. */
static const char *const holders[] = {
	"_raw", "_raw_log", "_source", "hits", "event.original", "@message", "logEntry", "ResultSet",
	"_airbyte_data"
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
	{"integration", "aws", "what Wazuh wrote"},
	{"attributes", "message", "what Datadog archived"},
	{"line", "labels", "a line of Loki"},
	{"result", "preview", "what Splunk exported"},
	{"Body", "SequenceNumber", "a message of Event Hubs"}
};

static bool
has(JsonbContainer *doc, const char *name)
{
	JsonbValue	value;

	return getKeyJsonValueFromContainer(doc, name, strlen(name), &value) != NULL &&
		value.type != jbvNull;
}

static JsonbContainer *
object_in(JsonbContainer *doc, const char *name)
{
	JsonbValue	value;

	if (doc == NULL || getKeyJsonValueFromContainer(doc, name, strlen(name), &value) == NULL ||
		value.type != jbvBinary || !JsonContainerIsObject(value.val.binary.data))
		return NULL;
	return value.val.binary.data;
}

static bool
has_list(JsonbContainer *doc, const char *name)
{
	JsonbValue	value;

	return getKeyJsonValueFromContainer(doc, name, strlen(name), &value) != NULL &&
		value.type == jbvBinary && JsonContainerIsArray(value.val.binary.data);
}

/* What was made of a record and keeps neither it nor all that it said; or NULL. */
static const char *
without_record(JsonbContainer *doc)
{
	JsonbContainer *event = object_in(doc, "event");
	JsonbContainer *product = object_in(object_in(doc, "metadata"), "product");
	JsonbValue	name;

	if (event != NULL && has(doc, "@timestamp") && !has(doc, "message") && !has(event, "original") &&
		object_in(object_in(doc, "aws"), "cloudtrail") == NULL && object_in(object_in(doc, "gcp"), "audit") == NULL)
		return "is what a shipper made of a record, without the record: have it keep event.original";
	if (has(doc, "class_uid") && product != NULL && !has(doc, "raw_data") && !has(doc, "unmapped") &&
		getKeyJsonValueFromContainer(product, "name", 4, &name) != NULL && name.type == jbvString &&
		!slice_equal((Slice) {name.val.string.val, name.val.string.len}, SLICE_LITERAL("CloudTrail")))
		return "is an event of OCSF without the record that it was made of: have raw_data kept";
	return NULL;
}

void
event_explain_unknown(JsonbContainer *doc, bool is_unknown, const char **reason)
{
	if (has(doc, "digestS3Bucket") || has(doc, "digestStartTime"))
	{
		*reason = "is a CloudTrail digest: not an event";
		return;
	}
	if (has(doc, "insightDetails"))
	{
		*reason = "is a CloudTrail Insights event, of a number of calls: not an event of an identity";
		return;
	}
	if ((has(doc, "s3") && has(doc, "eventSource")) || (has(doc, "s3ObjectKey") && has(doc, "s3Bucket")))
	{
		*reason = "tells of a file in S3, and is no event: load that file";
		return;
	}
	if (without_record(doc) != NULL)
	{
		*reason = without_record(doc);
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
	for (int i = 0; i < lengthof(holders); i++)
		if (has(doc, holders[i]))
		{
			*reason = "looks like what holds a record: use iamwatch.records()";
			return;
		}
	if (has(doc, "protopayload_auditlog") || has(doc, "proto_payload"))
		*reason = "looks like a row of BigQuery or Steampipe: use iamwatch.records()";
	else if (has(doc, "UserIdentityType") || (has(doc, "MethodName") && has(doc, "LogName")))
		*reason = "looks like a row of Microsoft Sentinel: use iamwatch.records()";
	else if (has(doc, "eventType") && has(doc, "topic") && has(doc, "data"))
		*reason = "looks like an event of Event Grid: use iamwatch.records()";
	else if (has(doc, "EventTimestamp") && has(doc, "EventDataId"))
		*reason = "looks like what Get-AzActivityLog prints: use iamwatch.records()";
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
