"""A believable organisation's audit events, from a seed.

Several accounts of both providers; identities of several kinds, each with
habits; weekends; drift; people who join late; failures; and now and then an
operation that nobody expected.
"""
import datetime as dt
import random

START = dt.datetime(2026, 1, 5, tzinfo=dt.timezone.utc)
AWS_IAM = [("iam.amazonaws.com", o) for o in (
    "CreateUser", "AttachUserPolicy", "CreateAccessKey", "PutRolePolicy", "CreateRole",
    "UpdateAssumeRolePolicy", "DeleteUser", "AddUserToGroup", "CreateLoginProfile")] + [
    ("s3.amazonaws.com", "PutBucketPolicy"), ("kms.amazonaws.com", "CreateGrant"),
    ("lambda.amazonaws.com", "AddPermission20150331v2")]
AWS_OTHER = [("s3.amazonaws.com", "GetObject"), ("ec2.amazonaws.com", "DescribeInstances"),
             ("sts.amazonaws.com", "AssumeRole"), ("iam.amazonaws.com", "ListUsers"),
             ("signin.amazonaws.com", "ConsoleLogin")]
GCP_IAM = [("iam.googleapis.com", "google.iam.admin.v1.CreateServiceAccount"),
           ("iam.googleapis.com", "google.iam.admin.v1.CreateServiceAccountKey"),
           ("cloudresourcemanager.googleapis.com", "SetIamPolicy"),
           ("storage.googleapis.com", "storage.setIamPermissions"),
           ("pubsub.googleapis.com", "google.pubsub.v1.Publisher.SetIamPolicy")]
GCP_OTHER = [("storage.googleapis.com", "storage.objects.get"),
             ("compute.googleapis.com", "v1.compute.instances.list")]
INSTANCES = [("aws", "i-0123456789abcdef0", ()), ("gcp", "gce-1", ("34.1.2.3",))]


def aws_user(rng, account, n):
    kind = n % 6
    arn = f"arn:aws:iam::{account}"
    if kind == 0:
        return lambda: {"type": "IAMUser", "arn": f"{arn}:user/dev{n}", "accountId": account, "userName": f"dev{n}"}
    if kind == 1:
        sso = f"arn:aws:iam::{account}:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Admin_1"
        return lambda: {"type": "AssumedRole", "principalId": f"AROA:user{n}@example.org", "accountId": account,
                        "arn": f"arn:aws:sts::{account}:assumed-role/AWSReservedSSO_Admin_1/user{n}@example.org",
                        "sessionContext": {"sessionIssuer": {"type": "Role", "arn": sso}}}
    if kind == 2:
        return lambda: {"type": "AssumedRole", "accountId": account, "principalId": "AROA:ci",
                        "arn": f"arn:aws:sts::{account}:assumed-role/deploy{n}/run{rng.randrange(10**6)}",
                        "sessionContext": {"sessionIssuer": {"arn": f"{arn}:role/deploy{n}"}}}
    if kind == 3:
        instance = INSTANCES[0][1] if n % 4 == 1 else f"i-0{n:07x}"
        # one role, two kinds: instances assume it, and now and then a job does
        return lambda: {"type": "AssumedRole", "accountId": account,
                        "arn": f"arn:aws:sts::{account}:assumed-role/web{n}/" +
                        rng.choice([instance] * 5 + ["i-0aaaaaaa", "job", "job"]),
                        "principalId": "AROA:x"}
    if kind == 4:
        return lambda: {"type": "Root", "arn": f"{arn}:root", "accountId": account}
    return lambda: {"type": "AWSService", "invokedBy": f"svc{n}.amazonaws.com"}


def gcp_user(rng, account, n):
    return [f"person{n}@example.org", f"robot{n}@{account}.iam.gserviceaccount.com",
            f"service-{n}@gcp-sa-x.iam.gserviceaccount.com", f"system:serviceaccount:ns:app{n}",
            f"agent{n}@example.org"][n % 5]


def stamp(rng, when):
    form = rng.randrange(4)
    base = when.strftime("%Y-%m-%dT%H:%M:%S")
    if form == 0:
        return base + "Z"
    if form == 1:
        return base + f".{when.microsecond:06d}Z"
    if form == 2:
        return base + f".{when.microsecond:06d}123Z"
    local = when + dt.timedelta(hours=5, minutes=30)
    return local.strftime("%Y-%m-%dT%H:%M:%S") + f".{when.microsecond:06d}+05:30"


def generate(seed, days=60, per_day=60, identities=14):
    """Events as dictionaries, in order of event time."""
    rng = random.Random(seed)
    parties = []
    for n in range(identities):
        if n % 3 < 2:
            account = f"{111111111111 * (1 + n % 2)}"
            parties.append(("aws", account, aws_user(rng, account, n), AWS_IAM, AWS_OTHER, n))
        else:
            parties.append(("gcp", "prod-1", gcp_user(rng, "prod-1", n), GCP_IAM, GCP_OTHER, n))
    habits = [rng.sample(p[3], rng.randint(0, 3)) for p in parties]
    joins = [0 if rng.random() < .7 else rng.randrange(days) for _ in parties]
    rate = [rng.choice([.1, .4, .8, 1]) for _ in parties]
    times = []
    for day in range(days):
        for i, party in enumerate(parties):
            if day < joins[i] or rng.random() > rate[i] or (day % 7 > 4 and rng.random() < .7):
                continue
            for _ in range(rng.randint(1, max(1, 2 * per_day // identities))):
                times.append((START + dt.timedelta(days=day, microseconds=rng.randrange(86400000000)), i))
            if rng.random() < .03:
                habits[i] = rng.sample(party[3], rng.randint(0, 3))
    times.sort()
    events = []
    for serial, (when, i) in enumerate(times):
        provider, account, user, iam, other, n = parties[i]
        x = rng.random()
        if x < .15 and habits[i]:
            service, operation = rng.choice(habits[i])
        elif x < .18:
            service, operation = rng.choice(iam)
        else:
            service, operation = rng.choice(other)
        failed = rng.random() < .05
        identifier = f"{seed}-{serial:06d}" if rng.random() < .98 else None
        if provider == "aws":
            event = {"eventVersion": "1.08", "userIdentity": user(), "eventSource": service, "eventName": operation,
                     "eventTime": stamp(rng, when), "recipientAccountId": account, "awsRegion": "eu-west-1",
                     "sourceIPAddress": f"198.51.100.{n}", "userAgent": "aws-cli/2", "eventID": identifier}
            if failed:
                event["errorCode"] = "AccessDenied"
        else:
            event = {"protoPayload": {"serviceName": service, "methodName": operation,
                                      "authenticationInfo": {"principalEmail": user},
                                      "requestMetadata": {"callerIp": rng.choice(["34.1.2.3", "10.0.0.1", "private"])},
                                      "status": {"code": 7} if failed else {}},
                     "resource": {"labels": {"project_id": account}}, "timestamp": stamp(rng, when),
                     "insertId": identifier}
        events.append(event)
    return events
