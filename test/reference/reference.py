"""The detection rules once more, written to be read, not to be fast.

An independent second implementation of the rules of docs/detection.md: it
shares no code and no table with the extension, keeps plain sets of days, and
scores by visiting every peer.  Tests compare its alerts with the extension's.
"""
import csv
import datetime as dt
import json
import math
import os
import re

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)
PEOPLE = {"root", "user", "federated_user", "anonymous", "unknown"}
RANK = ["informational", "low", "medium", "high", "critical"]
TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]| UTC|([+-])(\d\d)(?::?(\d\d))?)?", re.A)


class Unreadable(Exception):
    """Who acted follows from a text that holds no object."""


def text(value):
    return value if isinstance(value, str) and value != "" else None


def get(container, name):
    """A field by its name or, if it is not there, by that in lower case."""
    return container[name] if name in container else container.get(ascii_lower(name))


def ascii_lower(s):
    return re.sub("[A-Z]+", lambda m: m.group().lower(), s)


def no_constant(name):
    raise ValueError(name)


def in_text(value):
    """The object that a text holds, or None."""
    if not isinstance(value, str) or value == "":
        return None
    try:
        value = json.loads(value, parse_constant=no_constant)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def obj(value):
    return value if isinstance(value, dict) else in_text(value) or {}


def actor(value):
    """An object from which it follows who acted."""
    if text(value) and in_text(value) is None:
        raise Unreadable(value)
    return obj(value)


def microseconds(value):
    """Microseconds since 1970, or None when it is no time."""
    m = TIME.fullmatch(value) if isinstance(value, str) else None
    if not m:
        return None
    year, month, day, hour, minute, second = (int(x) for x in m.groups()[:6])
    if hour > 23 or minute > 59 or second > 60 or year < 1:
        return None
    try:
        days = dt.date(year, month, day).toordinal() - dt.date(1970, 1, 1).toordinal()
    except ValueError:
        return None
    offset = 0
    if m.group(8):
        ahead, minutes = int(m.group(9)), int(m.group(10) or 0)
        if ahead > 23 or minutes > 59:
            return None
        offset = (ahead * 60 + minutes) * (1 if m.group(8) == "+" else -1)
    fraction = int(((m.group(7) or "") + "000000")[:6])
    return (((days * 24 + hour) * 60 + minute - offset) * 60 + second) * 1000000 + fraction


class Catalogue:
    def __init__(self, folder):
        self.exact, self.suffix = {}, []
        for name in ("aws.csv", "gcp.csv"):
            with open(os.path.join(folder, name), newline="") as f:
                for row in csv.DictReader(f):
                    key = (row["provider"], row["service"], row["operation"])
                    if row["match"] == "exact":
                        self.exact[key] = row
                    else:
                        self.suffix.append((key, row))
        self.suffix.sort(key=lambda s: (-len(s[0][2]), s[0][1] == "*"))

    def find(self, provider, service, operation):
        row = self.exact.get((provider, service, operation)) or \
            self.exact.get((provider, "*", operation))
        if row is None:
            for (p, s, o), r in self.suffix:
                if p == provider and s in ("*", service) and operation.endswith(o):
                    row = r
                    break
        if row is None or row["effect"] == "read" or row["category"] in ("session", "sign_in"):
            return None
        return row


def assumed_role(user):
    arn, principal = text(get(user, "arn")), text(get(user, "principalId"))
    m = re.fullmatch(r"arn:([^:]*):sts::([^:]*):assumed-role/([^/]+)(?:/(.*))?", arn or "", re.S)
    issuer = actor(get(actor(get(user, "sessionContext")), "sessionIssuer"))
    role = text(get(issuer, "arn"))
    if role is None and m:
        role = f"arn:{m.group(1)}:iam::{m.group(2)}:role/{m.group(3)}"
    if role is None:
        role = principal
    if role is None:
        return None, None, None
    session = m.group(4) if m and m.group(4) else None
    if session is None and principal and ":" in principal:
        session = principal.split(":", 1)[1] or None
    name = role.rsplit("/", 1)[-1]
    if "/aws-service-role/" in role or name.startswith("AWSServiceRoleFor"):
        return role, "service", None
    if session and re.fullmatch(r"i-([0-9a-fA-F]{8}|[0-9a-fA-F]{17})", session):
        return role, "instance", session
    if name.startswith("AWSReservedSSO_") or session and "@" in session:
        if session is None:
            return role, "federated_user", None
        whose = re.fullmatch(r"arn:([^:]*):iam::([^:]*):role/.*", role, re.S)
        if not whose:
            return f"{role}/{session}", "federated_user", None
        if name.startswith("AWSReservedSSO_"):
            name = re.sub(r"_[0-9a-fA-F]{16}\Z", "", name)
        return (f"arn:{whose.group(1)}:sts::{whose.group(2)}:assumed-role/{name}/{ascii_lower(session)}",
                "federated_user", None)
    return role, "role", None


def partition(doc, user):
    issuer = obj(get(obj(get(user, "sessionContext")), "sessionIssuer"))
    for arn in (get(user, "arn"), get(issuer, "arn"), get(user, "principalId"), get(user, "identityProvider")):
        m = re.match(r"arn:([^:]+):", text(arn) or "")
        if m:
            return m.group(1)
    region = text(get(doc, "awsRegion")) or ""
    for start, name in (("cn-", "aws-cn"), ("us-gov-", "aws-us-gov"), ("us-iso", "aws-iso")):
        if region.startswith(start):
            return name
    return "aws"


def aws_identity(doc, user, account):
    kind = text(get(user, "type"))
    arn, principal = text(get(user, "arn")), text(get(user, "principalId"))
    name, own = text(get(user, "userName")), text(get(user, "accountId"))
    invoked_by, source = text(get(user, "invokedBy")), text(get(doc, "eventSource"))
    if kind == "Root":
        return arn or f"arn:{partition(doc, user)}:iam::{own or account}:root", "root", None
    if kind == "IAMUser":
        built = f"arn:{partition(doc, user)}:iam::{own or account}:user/{name}" if name else None
        return arn or built or principal, "user", None
    if kind == "AssumedRole":
        return assumed_role(user)
    if kind == "FederatedUser":
        return arn or principal, "federated_user", None
    if kind == "SAMLUser":
        return principal or name, "federated_user", None
    if kind == "WebIdentityUser":
        provider = text(get(user, "identityProvider")) or principal or ""
        return principal or name, "workload" if ":oidc-provider/" in provider else "federated_user", None
    if kind == "IdentityCenterUser":
        return text(get(actor(get(user, "onBehalfOf")), "userId")) or principal, "federated_user", None
    if kind == "AWSService" or (kind is None and invoked_by):
        return invoked_by or source, "service", None
    if kind == "AWSAccount":
        return arn or principal or own, "account", None
    who = arn or principal or name or own
    if who is None and kind is None and get(doc, "eventType") == "AwsServiceEvent":
        return source, "service", None
    return who, "unknown", None


def aws_failed(doc):
    code = text(get(doc, "errorCode"))
    if code and not re.fullmatch(r"2\d\d", code, re.A) or text(get(doc, "errorMessage")):
        return True
    return obj(get(doc, "responseElements")).get(text(get(doc, "eventName"))) == "Failure"


def without_prefix(subject):
    return text(re.sub(r"\A(user|serviceAccount):", "", subject)) if subject else None


def gcp_identity(info):
    who = text(get(info, "principalEmail")) or without_prefix(text(get(info, "principalSubject"))) or "anonymous"
    if who.startswith("system:serviceaccount:"):
        kind = "service_account"
    elif who.startswith("system:"):
        kind = "service"
    elif (re.match(r"service-[0-9]+@", who)
          or re.search(r"@(cloudservices|system)\.gserviceaccount\.com\Z", who)
          or re.search(r"(?s)@gcp-sa-.*\.iam\.gserviceaccount\.com\Z", who)):
        kind = "service"
    elif who.endswith(".gserviceaccount.com"):
        kind = "service_account"
    elif "workloadIdentityPools" in who:
        kind = "workload"
    elif who.startswith("principal://"):
        kind = "federated_user"
    elif who == "anonymous":
        kind = "anonymous"
    else:
        kind = "user"
    return who, kind


def gcp_event(doc, payload):
    labels = obj(get(obj(get(doc, "resource")), "labels"))
    account = text(get(labels, "project_id"))
    if account is None:
        parts = (text(get(doc, "logName")) or "").split("/")
        account = parts[1] if len(parts) > 1 and parts[1] else None
    info = get(payload, "authenticationInfo")
    part = obj(get(doc, "operation"))
    if not isinstance(info, (dict, str)) or info == "":
        if get(part, "last") is True and get(part, "first") is not True:
            raise Unreadable("the completion of an operation, which does not name who began it")
    identity, kind = gcp_identity(actor(info))
    code = get(obj(get(payload, "status")), "code")
    return dict(provider="gcp", account=account, service=text(get(payload, "serviceName")),
                operation=text(get(payload, "methodName")), time=microseconds(get(doc, "timestamp")),
                identity=identity, kind=kind, instance=None, id=text(get(doc, "insertId")),
                failed=isinstance(code, (int, float)) and not isinstance(code, bool) and code != 0,
                ip=text(get(obj(get(payload, "requestMetadata")), "callerIp")))


def aws_event(doc):
    user = actor(get(doc, "userIdentity"))
    if not isinstance(get(doc, "userIdentity"), (dict, str)) or get(doc, "userIdentity") == "":
        return None
    account = text(get(doc, "recipientAccountId")) or text(get(user, "accountId"))
    service = text(get(doc, "eventSource"))
    identity, kind, instance = aws_identity(doc, user, account)
    return dict(provider="aws", account=account,
                service=re.sub(r"(?s)(?<=.)\.amazonaws\.com(\.cn)?\Z", "", service) if service else None,
                operation=text(get(doc, "eventName")), time=microseconds(get(doc, "eventTime")),
                identity=identity, kind=kind, instance=instance, id=text(get(doc, "eventID")),
                failed=aws_failed(doc), ip=text(get(doc, "sourceIPAddress")))


def spelt(container, name, column=None):
    """What a field of Azure's may hold: in camelCase, in PascalCase or as another column, in lower case if it is not there."""
    column = column or name[:1].upper() + name[1:]
    return container.get(name), container.get(column), get(container, name), get(container, column)


def first_text(*values):
    return next((v for v in map(text, values) if v), None)


def text_of(container, name, column=None):
    return first_text(*spelt(container, name, column))


def object_of(container, name, column=None):
    """An object, or text that should hold one."""
    return next((v for v in spelt(container, name, column) if isinstance(v, dict) or text(v)), None)


def plain_or_localized(doc, name):
    return text_of(doc, name) or text_of(obj(object_of(doc, name)), "value")


def between(path, kind):
    """The part of a resource's id that follows the one of that name, in lower case."""
    m = re.search("/" + kind + "/([^/]*)", ascii_lower(path or "")) if path else None
    return m.group(1) or None if m else None


def is_entra(doc):
    if ascii_lower(text_of(doc, "category") or "") == "auditlogs" or ascii_lower(text(get(doc, "Type")) or "") == "auditlogs":
        return True
    return text_of(doc, "activityDisplayName") is not None and object_of(doc, "initiatedBy") is not None


def entra_identity(doc, record, service):
    initiator = actor(object_of(record, "initiatedBy"))
    user = actor(object_of(initiator, "user"))
    name = first_text(text_of(user, "userPrincipalName"), text_of(user, "id"), text_of(user, "displayName"))
    if name:
        name = ascii_lower(name)
        if "#ext#@" in name:
            return name, "federated_user"
        if name.endswith(".onmicrosoft.com") and name.startswith(("sync_", "adtoaadsyncserviceaccount@")):
            return name, "service_account"
        return name, "user"
    app = actor(object_of(initiator, "app"))
    name = first_text(text_of(app, "servicePrincipalId"), text_of(app, "appId"))
    if name:
        return ascii_lower(name), "service_account"
    name = first_text(text_of(app, "displayName"), text_of(doc, "identity"), service)
    return ascii_lower(name), "user" if "@" in name else "service"


def entra_event(doc):
    properties = object_of(doc, "properties")
    record = actor(properties) or doc
    if isinstance(properties, (dict, str)) and properties != "":
        record = obj(properties)
    operation = (text_of(record, "activityDisplayName") or "").rstrip(" ") or \
        (text_of(doc, "operationName") or "").rstrip(" ") or None
    service = text_of(record, "loggedByService") or "Microsoft Entra ID"
    time = text_of(record, "activityDateTime") or text_of(doc, "time", "TimeGenerated") or text(get(doc, "Time"))
    account = first_text(doc.get("tenantId"), get(doc, "AADTenantId"), get(doc, "tenantId"))
    account = ascii_lower(account) if account else between(text_of(doc, "resourceId"), "tenants") or "unknown"
    identity, kind = entra_identity(doc, record, service)
    result = text_of(record, "result")
    return dict(provider="azure", account=account, service=service, operation=operation, time=microseconds(time),
                identity=identity, kind=kind, instance=None, id=text_of(record, "id"),
                failed=result is not None and ascii_lower(result) != "success", ip=None)


UPN, NAME = (f"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/{c}" for c in ("upn", "name"))
OBJECT, PROVIDER, TENANT = (f"http://schemas.microsoft.com/identity/claims/{c}"
                            for c in ("objectidentifier", "identityprovider", "tenantid"))


def person(name):
    name = (text(name) or "").lstrip(" ")
    return name if "@" in name else None


def activity_claims(doc, caller):
    """What the token said; where it cannot be read, it matters unless the caller is a person."""
    unreadable = False
    for value in (lambda: object_of(obj(object_of(doc, "identity")), "claims"), lambda: object_of(doc, "claims")):
        for found in (object_of(doc, "identity"), value()):
            unreadable = unreadable or bool(text(found)) and in_text(found) is None
        claims = value()
        if isinstance(claims, dict) or in_text(claims) is not None:
            return obj(claims)
    claims = get(doc, "Claims_d")
    if isinstance(claims, dict) or in_text(claims) is not None:
        return obj(claims)
    if unreadable and not person(caller):
        raise Unreadable(doc)
    return {}


def activity_identity(doc, service):
    caller = text_of(doc, "caller")
    claims = activity_claims(doc, caller)
    resource = text(get(claims, "xms_mirid"))
    if resource:
        resource = ascii_lower(resource)
        machine = "/providers/microsoft.compute/virtualmachine" in resource
        return (resource, "instance", resource) if machine else (resource, "workload", None)
    name = person(caller) or person(get(claims, UPN)) or person(get(claims, NAME))
    if name:
        name = ascii_lower(name)
        return name, "federated_user" if text(get(claims, PROVIDER)) or "#" in name else "user", None
    guid = caller if re.fullmatch("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", caller or "") else None
    name = first_text(get(claims, OBJECT), guid, get(claims, "appid"))
    if name:
        return ascii_lower(name), "service_account", None
    where = (object_of(obj(object_of(doc, "identity")), "authorization"), object_of(doc, "authorization"), get(doc, "Authorization_d"))
    authorization = next((obj(a) for a in where if isinstance(a, dict) or in_text(a) is not None), {})
    evidence = obj(object_of(authorization, "evidence"))
    principal, kind = text_of(evidence, "principalId"), ascii_lower(text_of(evidence, "principalType") or "")
    if principal and kind in ("user", "serviceprincipal"):
        return ascii_lower(principal), "user" if kind == "user" else "service_account", None
    return ascii_lower(caller or service), "service", None


CATEGORIES = {"administrative", "policy", "security", "alert", "autoscale", "recommendation", "servicehealth",
              "resourcehealth", "write", "delete", "action"}


def azure_event(doc):
    if is_entra(doc):
        return entra_event(doc)
    operation = text(get(doc, "OperationNameValue")) or plain_or_localized(doc, "operationName")
    category = text(get(doc, "CategoryValue")) or plain_or_localized(doc, "category")
    if not operation or "/" not in operation[1:] or operation[0] == "/" or \
            category and ascii_lower(category) not in CATEGORIES:
        return None
    operation = ascii_lower(operation)
    service = operation.split("/")[0]
    resource = text_of(doc, "resourceId", "_ResourceId") or text(get(doc, "ResourceId"))
    identity, kind, instance = activity_identity(doc, service)
    claims = activity_claims(doc, "somebody@")
    account = between(resource, "subscriptions") or first_text(
        text_of(doc, "subscriptionId"), get(doc, "tenantId"), get(claims, TENANT))
    status = text_of(doc, "resultType", "ActivityStatusValue") or text(get(doc, "ResultType")) or \
        plain_or_localized(doc, "status")
    lower = ascii_lower(status or "")
    if lower.startswith(("start", "accept")) or lower in ("in progress", "running"):
        operation += " (started)"
    time = text_of(doc, "time", "eventTimestamp") or text_of(doc, "Time", "EventTimestamp") or text(get(doc, "TimeGenerated"))
    correlation = text_of(doc, "correlationId")
    event_id = text_of(doc, "eventDataId") or (f"{correlation} {status or ''} {time}" if correlation else None)
    return dict(provider="azure", account=ascii_lower(account) if account else None, service=service,
                operation=operation, time=microseconds(time), identity=identity, kind=kind, instance=instance,
                id=event_id, failed=lower.startswith(("fail", "cancel")), ip=None)


def parse(doc):
    """A dictionary, or None when the document is not readable."""
    if not isinstance(doc, dict):
        return None
    payload = get(doc, "protoPayload")
    try:
        if isinstance(payload, dict) or in_text(payload) is not None:
            event = gcp_event(doc, obj(payload))
        elif text(get(doc, "eventSource")):
            event = aws_event(doc)
        else:
            event = azure_event(doc)
    except Unreadable:
        return None
    if event is None or any(event[f] is None for f in ("account", "service", "operation", "time", "identity")):
        return None
    event["person"] = event["kind"] in PEOPLE
    event["day"] = event["time"] // 86400000000
    return event


class Detector:
    def __init__(self, catalogue, instances=(), activation=14, training=30, deduplication=5,
                 lateness=15, limit=0.02, memory=180, peer_memory=90, least_risk=None):
        self.catalogue, self.instances = catalogue, instances
        self.activation, self.training, self.deduplication = activation, training, deduplication
        self.lateness, self.limit, self.least_risk = lateness, limit, least_risk
        self.memory, self.peer_memory = memory, peer_memory
        self.kept = max(training, memory, peer_memory) + lateness
        self.accounts, self.active, self.iam, self.did, self.person = {}, {}, {}, {}, {}
        self.alerts, self.rejected, self.late, self.declined = [], 0, 0, {}

    def severity(self, e):
        for provider, instance_id, addresses in self.instances:
            if provider != e["provider"]:
                continue
            if provider == "aws" and e["kind"] == "instance" and e["instance"] == instance_id or \
                    provider == "gcp" and not e["person"] and e["ip"] in addresses:
                return "medium", "executed from a cloud Internet-facing instance"
        return ("informational", "base") if e["person"] else ("low", "cloud non-user identity")

    @staticmethod
    def count(days, day, period, since=-10**9):
        return sum(1 for d in days if day - period <= d < day and d >= since)

    def peers(self, who, behaviour, day, person, period):
        """Days of the peers with the behaviour, with anything, with any IAM operation."""
        newcomer = sum(1 for d in self.active.get(who, ()) if d < day) < 2
        kk = nn = pp = 0
        for peer, days in self.active.items():
            if peer[:2] != who[:2] or peer == who or self.person[peer] != person:
                continue
            if newcomer:
                since = -10**9
            elif len(days) < 3:
                continue
            else:
                since = sorted(days)[2]
            nn += self.count(days, day, period, since)
            kk += self.count(self.did.get((peer, behaviour), ()), day, period, since)
            pp += self.count(self.iam.get(peer, ()), day, period, since)
        return kk, nn, pp

    def score(self, who, behaviour, day, person):
        k = self.count(self.did.get((who, behaviour), ()), day, self.training)
        a = self.count(self.active.get(who, ()), day, self.training)
        kk, nn, _ = self.peers(who, behaviour, day, person, self.training)
        q = (kk + 10 * 0.01) / (nn + 10)
        return k, a, kk, nn, (k + 2 * q) / (a + 2)

    def risk(self, who, behaviour, day, person, sensitivity):
        """k, A, B, K, N, P of the longer memory, and the risk."""
        service, operation, failed = behaviour
        done = set(self.did.get((who, behaviour), ()))
        if failed:
            done |= set(self.did.get((who, (service, operation, False)), ()))
        k = self.count(done, day, self.memory)
        a = self.count(self.active.get(who, ()), day, self.memory)
        b = self.count(self.iam.get(who, ()), day, self.memory)
        kk, nn, pp = self.peers(who, behaviour, day, person, self.peer_memory)
        peers_iam = (pp + 0.1) / (nn + 10)
        own_iam = (b + 2 * peers_iam) / (a + 2)
        share = (kk + 1) / (pp + 20)
        rate = (k + 2 * own_iam * share) / (a + 2)
        return (k, a, b, kk, nn, pp), -math.log2(rate) + 2 * sensitivity

    def event(self, doc):
        e = parse(doc)
        if e is None:
            self.rejected += 1
            return
        where = (e["provider"], e["account"])
        who = where + (e["identity"],)
        account = self.accounts.setdefault(where, {"first": e["time"], "newest": e["day"]})
        if e["day"] < account["newest"] - self.kept:
            self.late += 1
            return
        account["first"] = min(account["first"], e["time"])
        account["newest"] = max(account["newest"], e["day"])
        self.person[who] = self.person.get(who, False) or e["person"]
        operation = self.catalogue.find(e["provider"], e["service"], e["operation"])
        if operation:
            behaviour = (e["service"], e["operation"], e["failed"])
            self.judge(e, who, behaviour, operation, account)
            self.did.setdefault((who, behaviour), set()).add(e["day"])
            self.iam.setdefault(who, set()).add(e["day"])
        self.active.setdefault(who, set()).add(e["day"])

    def judge(self, e, who, behaviour, operation, account):
        period = self.deduplication * 86400000000
        active_from = account["first"] + self.activation * 86400000000
        severity, variation = self.severity(e)
        if period == 0 and e["id"] is not None and any(
                alert["who"] == who and alert["behaviour"] == behaviour and
                alert["first"] == e["time"] and e["id"] in alert["ids"] for alert in self.alerts):
            return  # delivered again
        for alert in self.alerts:
            if alert["who"] == who and alert["behaviour"] == behaviour and \
                    abs(e["time"] - alert["first"]) < period:
                if e["time"] < min(active_from, alert["first"]):
                    return  # delivered again: in order of time it came before the alert
                if e["id"] is None or e["id"] not in alert["ids"]:
                    alert["ids"].append(e["id"])
                    alert["last"] = max(alert["last"], e["time"])
                    if RANK.index(severity) > RANK.index(alert["severity"]):
                        alert["severity"], alert["variation"] = severity, variation
                return
        if e["time"] < active_from or self.declined.get((who, behaviour)) == e["day"]:
            return
        k, a, kk, nn, p = self.score(who, behaviour, e["day"], e["person"])
        if p < self.limit:
            counts, risk = self.risk(who, behaviour, e["day"], e["person"], int(operation["sensitivity"]))
            if self.least_risk is not None and risk < self.least_risk:
                self.declined[who, behaviour] = e["day"]
                return
            self.alerts.append(dict(
                who=who, behaviour=behaviour, kind=e["kind"], severity=severity, variation=variation,
                first=e["time"], last=e["time"], ids=[e["id"]], k=k, A=a, K=kk, N=nn, p=p,
                surprise=-math.log2(p), counts=counts, risk=risk,
                newcomer=sum(1 for d in self.active.get(who, ()) if d < e["day"]) < 2, category=operation["category"],
                sensitivity=int(operation["sensitivity"]),
                technique=operation["attack_technique"] or "T1098"))

    def rows(self):
        return sorted(
            (*a["who"], *a["behaviour"], a["kind"], a["severity"], a["variation"], a["first"], a["last"],
             len(a["ids"]), a["k"], a["A"], a["K"], a["N"], round(a["p"], 12), round(a["surprise"], 9),
             *a["counts"], round(a["risk"], 9), a["category"], a["sensitivity"], a["technique"],
             tuple(sorted(i for i in a["ids"] if i is not None)))
            for a in self.alerts)


QUERY = """SELECT provider, account, identity, service, operation, failed, identity_kind, severity, variation,
 (extract(epoch FROM first_event_time) * 1000000)::bigint, (extract(epoch FROM last_event_time) * 1000000)::bigint,
 event_count, (evidence->>'k')::int, (evidence->>'A')::int, (evidence->>'K')::bigint, (evidence->>'N')::bigint,
 probability, surprise, (evidence->'risk'->>'k')::int, (evidence->'risk'->>'A')::int, (evidence->'risk'->>'B')::int,
 (evidence->'risk'->>'K')::bigint, (evidence->'risk'->>'N')::bigint, (evidence->'risk'->>'P')::bigint, risk, category, sensitivity, technique, evidence->'event_ids' AS ids
 FROM iamwatch.alerts"""


def extension_rows(records):
    """Rows of QUERY, as JSON arrays, in the form of Detector.rows()."""
    return sorted((*r[:16], round(r[16], 12), round(r[17], 9), *r[18:24], round(r[24], 9), *r[25:28], tuple(sorted(r[28])))
                  for r in records)
