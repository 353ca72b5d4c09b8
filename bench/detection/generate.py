#!/usr/bin/env python3
"""Writes a generated organisation to a folder.  The same arguments give the same bytes.

meta.json      shape, seed, provider, days, first day of the test period, number of attacks
iam.tsv        event id, day, second, provider, account, identity, kind, service, operation, failed (0 or 1)
activity.tsv   provider, account, identity, kind, days on which it did anything (comma separated)
truth.tsv      event id, number of the attack             (for the score, not for detectors)
attacks.tsv    number, account, identity, victim, style, techniques, first day        (likewise)
events.ndjson  records of CloudTrail or Cloud Audit Logs in order of time: the same events with the same
               ids, and on each day of activity one that only reads and is no IAM operation
"""
import argparse
import datetime
import json
import os
import random

from identity import DAY
from organisation import Organisation
from shapes import SHAPES

FIRST_DAY = datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc)     # a Monday, as day 0 is
READS = dict(aws="ec2:DescribeInstances", gcp="compute.googleapis.com:v1.compute.instances.list")


def event_ids(org):
    chance = random.Random(f"ids/{org.shape}/{org.seed}")
    return [f"{chance.getrandbits(128):032x}" for _ in org.events]


def write(org, folder):
    os.makedirs(folder, exist_ok=True)

    def rows(name, rows):
        with open(os.path.join(folder, name), "w") as out:
            out.writelines("\t".join(map(str, row)) + "\n" for row in rows)

    ids = event_ids(org)
    with open(os.path.join(folder, "meta.json"), "w") as out:
        json.dump(dict(shape=org.shape, seed=org.seed, provider=org.provider, days=org.days,
                       test_from=org.days - org.test, attacks=len(org.attacks)), out, indent=1)
    rows("iam.tsv", ((key, day, second, org.provider, i.account, i.name, i.kind, *operation.split(":", 1), int(failed))
                     for key, (day, second, i, operation, failed, _) in zip(ids, org.events)))
    rows("truth.tsv", ((key, event[-1]) for key, event in zip(ids, org.events) if event[-1]))
    rows("activity.tsv", ((org.provider, i.account, i.name, i.kind,
                           ",".join(str(d) for d in sorted(org.active[i]) if d < org.days))
                          for i in org.identities))
    rows("attacks.tsv", ((number, i.account, i.name, *rest) for number, i, *rest in org.attacks))
    with open(os.path.join(folder, "events.ndjson"), "w") as out:
        out.writelines(json.dumps(record, separators=(",", ":")) + "\n" for record in records(org, ids))


def records(org, ids):
    """What the audit log of the provider would have, in order of time."""
    rows = []
    for number, identity in enumerate(org.identities):
        rows += [(day * DAY + 1, f"read-{number}-{day}", identity, READS[org.provider], False)
                 for day in org.active[identity] if day < org.days]
    rows += [(day * DAY + second, key, identity, operation, failed)
             for key, (day, second, identity, operation, failed, _) in zip(ids, org.events)]
    rows.sort(key=lambda row: row[:2])
    record = audit_log if org.gcp else cloudtrail
    for at, key, identity, operation, failed in rows:
        time = (FIRST_DAY + datetime.timedelta(seconds=at)).strftime("%Y-%m-%dT%H:%M:%SZ")
        yield record(identity, key, time, *operation.split(":", 1), failed)


def cloudtrail_user(identity):
    tail, account = identity.name.rsplit("/", 1)[-1], identity.account
    if identity.kind == "root":
        return dict(type="Root", principalId=account, arn=identity.name, accountId=account)
    if identity.kind == "user":
        return dict(type="IAMUser", principalId="AIDA" + tail.upper(), arn=identity.name, accountId=account,
                    userName=tail)
    role, session = identity.name, identity.session or "session"
    if identity.kind == "federated_user":       # the name of the session is that of the person
        role, session = identity.name.rsplit("/", 1)
    short = role.rsplit("/", 1)[-1]
    return dict(type="AssumedRole", principalId="AROAEXAMPLE:" + session,
                arn=f"arn:aws:sts::{account}:assumed-role/{short}/{session}", accountId=account,
                sessionContext=dict(sessionIssuer=dict(type="Role", arn=role, accountId=account, userName=short)))


def cloudtrail(identity, key, time, service, operation, failed):
    record = dict(eventVersion="1.09", userIdentity=cloudtrail_user(identity), eventTime=time,
                  eventSource=service + ".amazonaws.com", eventName=operation, awsRegion="us-east-1",
                  sourceIPAddress="203.0.113.7", userAgent="aws-cli/2.15", eventID=key,
                  readOnly=operation.startswith("Describe"), eventType="AwsApiCall", managementEvent=True,
                  recipientAccountId=identity.account)
    if failed:
        record["errorCode"] = "AccessDenied"
    return record


def audit_log(identity, key, time, service, operation, failed):
    return dict(
        logName=f"projects/{identity.account}/logs/cloudaudit.googleapis.com%2Factivity",
        insertId=key, timestamp=time,
        resource=dict(type="project", labels=dict(project_id=identity.account)),
        protoPayload=dict(serviceName=service, methodName=operation,
                          authenticationInfo=dict(principalEmail=identity.name),
                          requestMetadata=dict(callerIp="198.51.100.7"),
                          status=dict(code=7) if failed else {}))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shape", choices=sorted(SHAPES))
    parser.add_argument("seed", type=int)
    parser.add_argument("folder")
    parser.add_argument("--days", type=int, default=210)
    parser.add_argument("--test", type=int, default=60, help="days of the test period, the last ones")
    parser.add_argument("--mix", type=float, default=0.0, help="share of operations of people that are any")
    given = parser.parse_args()
    write(Organisation(given.shape, given.seed, given.days, given.test, given.mix), given.folder)


if __name__ == "__main__":
    main()
