"""The events that are measured with.

Made from real CloudTrail records of a user, about 1.2 kB each.  A workload is
written to a file once, so that what is timed is COPY and nothing else.
"""
import datetime
import json
import os
import random

IAM = ["CreateUser", "AttachUserPolicy", "CreateAccessKey", "PutRolePolicy"]
START = datetime.date(2026, 1, 1)
ACCOUNT = "123837392027"
with open(os.path.join(os.path.dirname(__file__), "..", "data", "events", "aws_attack_simulation.ndjson")) as f:
    RECORDS = [r for r in map(json.loads, f) if r["userIdentity"].get("type") == "IAMUser"
               and 900 < len(json.dumps(r)) < 1500][:50]


def event(rng, who, day, second, serial, operation=None):
    """A line for COPY; without operation it is a read that is no IAM operation."""
    r = dict(rng.choice(RECORDS))
    r["userIdentity"] = dict(r["userIdentity"], arn=f"arn:aws:iam::{ACCOUNT}:user/{who}", userName=who)
    r["eventTime"] = f"{START + datetime.timedelta(days=day)}T{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}Z"
    r["eventID"] = f"{serial:032x}"
    r.pop("errorCode", None)
    r.pop("errorMessage", None)
    if operation:
        r["eventSource"], r["eventName"] = "iam.amazonaws.com", operation
    else:
        r["eventSource"], r["eventName"] = "s3.amazonaws.com", "GetObject"
    return json.dumps(r, separators=(",", ":")).replace("\\", "\\\\") + "\n"


def write(path, count, identities, days, first_day=0, news=0.0, seed=1, cover=False, iam=0.1):
    """In order of time.  A share of events, iam, are IAM operations, done by the
    one identity in ten whose habit it is.  A share of news is first events of
    identities; cover has every identity do on the first day what it ever does."""
    rng = random.Random(seed)
    with open(path, "w") as out:
        if cover:
            for n in range(identities):
                out.write(event(rng, f"user{n}", first_day, 0, 10**12 + n))
                if n % 10 == 0 and iam:
                    out.write(event(rng, f"user{n}", first_day, 0, 2 * 10**12 + n, IAM[n // 10 % 4]))
        for i in range(count):
            at = i * days * 86400 // count
            who, operation = rng.randrange(identities), None
            if rng.random() < iam:
                who = who // 10 * 10
                operation = IAM[who // 10 % 4]
            new = rng.random() < news
            out.write(event(rng, f"new{seed}-{i}" if new else f"user{who}", first_day + at // 86400, at % 86400,
                            seed * 10**9 + i, None if new else operation))
    return path
