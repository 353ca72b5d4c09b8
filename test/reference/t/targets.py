"""What an operation was done to and what it granted: the paths of data/targets, by the rules of data/README.md."""
import collections
import csv
import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "..", "data", "targets"))
import derive_aws
from harness import ROOT, Database, finish, ok
from targets import Targets

PROVIDERS = ("aws", "azure", "gcp")
COLUMNS = ["provider", "service", "operation", "match", "target", "granted"]
STEP = r"[^.\[({|]+(\[(|-?\d+|[^\]=]+=[^\]]+)\])?(\(last\))?"
PATH = re.compile(rf"{STEP}(\.{STEP})*(\.([^{{}}|]*\{{[^{{}}|]+\}})+)?")


def read(folder, provider):
    with open(os.path.join(ROOT, "data", folder, provider + ".csv"), newline="", encoding="ascii") as file:
        return list(csv.DictReader(file))


def names(row):
    key = row["provider"], row["service"], row["operation"], row["match"]
    return tuple(name.lower() for name in key) if row["provider"] == "azure" else key


def listed(keys):
    return "\n".join(" ".join(key) for key in keys)


rows = [row for provider in PROVIDERS for row in read("targets", provider)]
catalogue = [row for provider in PROVIDERS for row in read("catalogue", provider)]
watched = [r for r in catalogue if r["effect"] != "read" and r["category"] not in ("session", "sign_in")]
targets = Targets(os.path.join(ROOT, "data", "targets"))

ok(all(list(row) == COLUMNS and not any(value is None or re.search('[",]', value) for value in row.values()) for row in rows),
   "Every row has every column, and needs no quotes")
counts = collections.Counter(map(names, rows))
ok(max(counts.values()) == 1, "No operation has two rows", listed(k for k, n in counts.items() if n > 1))
wrong = [(*names(r), path) for r in rows for c in ("target", "granted") for path in r[c].split("|")
         if (c == "target" or r[c]) and not PATH.fullmatch(path)]
ok(not wrong, "Every row has a target, and every path is one", listed(wrong))
known = set(map(names, watched))
wrong = [names(r) for r in rows if r["operation"] != "*" and names(r) not in known]
ok(not wrong, "Every row but those for everything is of an operation that is watched", listed(wrong))
wrong = [names(r) for r in rows if r["granted"] and any(
    w["effect"] == "delete" and names(w) == names(r) for w in watched)]
ok(not wrong, "What only takes away grants nothing", listed(wrong))

# What was written by hand is in the script that makes the file, or it would be lost.
effects = {names(w): w["effect"] for w in watched}
written = {names(r): (r["target"], r["granted"]) for r in rows}
wrong = []
for (service, operation), (target, granted) in derive_aws.reviewed().items():
    key = ("aws", service, operation, "exact")
    if written.get(key) != ("|".join(target), "" if effects.get(key) == "delete" else "|".join(granted)):
        wrong.append(key)
ok(not wrong, "The rows by hand of derive_aws.py are in aws.csv as they are there", listed(wrong))

# The share of watched operations whose target a row of their own names, or for
# GCP and Azure, whose records all name the resource in one place, any row.
own = {names(r)[:3] for r in rows if r["operation"] != "*"}
for provider in PROVIDERS:
    of = [r for r in watched if r["provider"] == provider]
    without = [names(r)[:3] for r in of if (names(r)[:3] not in own if provider == "aws" else
               not any(row[0] for row in targets.rows(provider, r["service"], r["operation"])))]
    share = 100 * (1 - len(without) / len(of))
    print(f"# {provider}: {share:.1f} % of {len(of)} watched operations have a path to their target")
    ok(share >= 95, f"{provider}: at least 95 % of what is watched has a path to its target", listed(without))


def find(provider, service, operation, document):
    return targets.find(provider, service, operation, document)


# Real records.
exact = {names(r)[:3]: r for r in watched if r["match"] == "exact"}
requests = missing = 0
for name in ("aws_attack_simulation", "aws_attack_techniques"):
    with open(os.path.join(ROOT, "data", "events", name + ".ndjson")) as file:
        for line in file:
            event = json.loads(line)
            event = event.get("event", event)
            key = "aws", event.get("eventSource", "").removesuffix(".amazonaws.com"), event.get("eventName")
            if key in exact and event.get("requestParameters"):
                requests += 1
                missing += find(*key, event)[0] is None
share = 100 * (1 - missing / requests)
print(f"# {share:.1f} % of {requests} real records of watched operations name their target")
ok(share >= 95, "Real records: at least 95 % of those that have a request name their target")


def aws(request, response=None, **more):
    return {"requestParameters": request, "responseElements": response, "recipientAccountId": "1", **more}


def gcp(payload, **labels):
    return {"protoPayload": payload, "resource": {"labels": labels}}


def workspace(**parameters):
    return gcp({"resourceName": "organizations/123/groupSettings", "metadata": {"event": [{"eventName": "X", "parameter": [
        {"name": name, "value": value} for name, value in parameters.items()]}]}})


def entra(*resources, **more):
    return {"category": "AuditLogs", "properties": {"targetResources": list(resources), **more}}


def modified(**properties):
    return [{"displayName": name.replace("_", "."), "oldValue": None, "newValue": json.dumps(value)}
            for name, value in properties.items()]


USER = {"type": "User", "userPrincipalName": "new@c.com", "displayName": "New"}
GRAPH = {"type": "ServicePrincipal", "displayName": "Microsoft Graph"}
delta = {"policyDelta": {"bindingDeltas": [{"action": "ADD", "role": "roles/owner", "member": "user:new@c.com"},
                                           {"action": "REMOVE", "role": "roles/viewer", "member": "user:old@c.com"}]}}
CASES = (
    ("aws", "iam", "AttachUserPolicy", aws({"userName": "u", "policyArn": "p"}), ("u", "p"), "the user, not the policy"),
    ("aws", "iam", "AddUserToGroup", aws({"groupName": "admins", "userName": "u"}), ("u", "admins"), "who gains, not the group"),
    ("aws", "iam", "PutRolePolicy", aws({"roleName": "r", "policyName": "inline"}), ("r", "inline"), "the role, and the name of its policy"),
    ("aws", "iam", "DetachRolePolicy", aws({"roleName": "r", "policyArn": "p"}), ("r", None), "nothing is granted where something is taken"),
    ("aws", "iam", "CreateAccessKey", aws({}, {"accessKey": {"userName": "u", "accessKeyId": "AKIA1"}}), ("u", "AKIA1"), "from the response, if the request has none"),
    ("aws", "iam", "ChangePassword", aws(None, userIdentity={"userName": "u"}), ("u", None), "one's own, where only that can be"),
    ("aws", "kms", "PutKeyPolicy", aws({"keyId": "k", "policyName": "default"}), ("k", None), "the key, and no constant"),
    ("aws", "kms", "CreateGrant", aws({"keyId": "k", "granteePrincipal": "arn:g"}), ("k", "arn:g"), "the key, and who may use it"),
    ("aws", "eks", "CreateAccessEntry", aws({"name": "cluster", "principalArn": "arn:u"}), ("arn:u", None), "the principal, not its cluster"),
    ("aws", "eks", "AssociateAccessPolicy", aws({"name": "cluster", "principalArn": "arn:u", "policyArn": "arn:p"}), ("arn:u", "arn:p"), "the principal, not its cluster"),
    ("aws", "sso", "CreateAccountAssignment", aws({"instanceArn": "i", "targetId": "2", "permissionSetArn": "ps", "principalId": "u-1"}), ("u-1", "ps"), "who gains, not the account"),
    ("aws", "identitystore", "CreateGroupMembership", aws({"identityStoreId": "d-1", "groupId": "g", "memberId": {"userId": "u-1"}}), ("u-1", "g"), "who gains, not the store"),
    ("aws", "lambda", "AddPermission20150331v2", aws({"functionName": "f", "principal": "*", "statementId": "s"}), ("f", "*"), "the function, and who may call it"),
    ("aws", "ec2", "ModifySnapshotAttribute", aws({"snapshotId": "s", "createVolumePermission": {"add": {"items": [{"userId": "2"}, {"group": "all"}]}}}), ("s", "2, all"), "the snapshot, and with whom it is shared"),
    ("aws", "ec2", "AssociateIamInstanceProfile", aws({"AssociateIamInstanceProfileRequest": {"IamInstanceProfile": {"Name": "p"}, "InstanceId": "i-1"}}), ("i-1", "p"), "requests as newer operations of EC2 write them"),
    ("aws", "rds", "ModifyDBCluster", aws({"dBClusterIdentifier": "c"}), ("c", None), "names as CloudTrail spells them"),
    ("aws", "lakeformation", "GrantPermissions", aws({"principal": {"dataLakePrincipalIdentifier": "arn:u"}, "permissions": ["SELECT", "ALTER"]}), ("arn:u", "SELECT, ALTER"), "who gains, and what"),
    ("aws", "s3", "PutBucketPolicy", aws({"bucketName": "b", "bucketPolicy": {"Version": "2012-10-17"}}), ("b", None), "the bucket"),
    ("aws", "organizations", "LeaveOrganization", aws(None), ("1", None), "the account itself, where that is what changes"),
    ("aws", "in-house", "GrantApproval", aws({"userName": "u", "name": "n"}), ("u", None), "defaults by name for services of one's own"),
    ("gcp", "iam.googleapis.com", "google.iam.admin.v1.CreateServiceAccountKey", gcp({"resourceName": "projects/-/serviceAccounts/103", "request": {"name": "projects/-/serviceAccounts/sa@p.iam.gserviceaccount.com"}}), ("sa@p.iam.gserviceaccount.com", None), "the service account, not its number"),
    ("gcp", "iam.googleapis.com", "google.iam.admin.v1.CreateServiceAccountKey", gcp({"resourceName": "projects/-/serviceAccounts/103", "request": {"name": "projects/-/serviceAccounts/103"}}, email_id="sa@p.iam.gserviceaccount.com"), ("sa@p.iam.gserviceaccount.com", None), "the service account, not its number"),
    ("gcp", "iam.googleapis.com", "google.iam.admin.v1.CreateServiceAccount", gcp({"resourceName": "projects/p", "response": {"email": "sa@p.iam.gserviceaccount.com"}}), ("sa@p.iam.gserviceaccount.com", None), "the service account, not its project"),
    ("gcp", "cloudresourcemanager.googleapis.com", "SetIamPolicy", gcp({"resourceName": "projects/p", "serviceData": delta}), ("projects/p", "ADD roles/owner user:new@c.com, REMOVE roles/viewer user:old@c.com"), "every change of a policy"),
    ("gcp", "pubsub.googleapis.com", "google.iam.v1.Publisher.SetIamPolicy", gcp({"resourceName": "projects/p/topics/t", "serviceData": delta}), ("projects/p/topics/t", "ADD roles/owner user:new@c.com, REMOVE roles/viewer user:old@c.com"), "every change of a policy, of any service"),
    ("gcp", "cloudresourcemanager.googleapis.com", "InsertProjectOwnershipInvite", gcp({"resourceName": "projects/p", "request": {"member": "user:new@c.com"}}), ("projects/p", "user:new@c.com"), "who becomes owner"),
    ("gcp", "admin.googleapis.com", "google.admin.AdminService.addGroupMember", workspace(USER_EMAIL="u@e.c", GROUP_EMAIL="admins@e.c"), ("u@e.c", "admins@e.c"), "who gains, not the organisation"),
    ("gcp", "admin.googleapis.com", "google.admin.AdminService.assignRole", workspace(ROLE_NAME="_SEED_ADMIN_ROLE", USER_EMAIL="u@e.c"), ("u@e.c", "_SEED_ADMIN_ROLE"), "who gains, and the role"),
    ("gcp", "login.googleapis.com", "google.login.LoginService.2svDisable", gcp({"resourceName": "organizations/123", "authenticationInfo": {"principalEmail": "u@e.c"}}), ("u@e.c", None), "who signs in, not the organisation"),
    ("gcp", "k8s.io", "io.k8s.authorization.rbac.v1.clusterrolebindings.create", gcp({"resourceName": "rbac.authorization.k8s.io/v1/clusterrolebindings/b", "request": {"roleRef": {"name": "cluster-admin"}}}), ("rbac.authorization.k8s.io/v1/clusterrolebindings/b", "cluster-admin"), "the binding and its role"),
    ("azure", "Core Directory", "Add member to role", entra({**USER, "modifiedProperties": modified(Role_DisplayName="Global Administrator")}, {"type": "Role"}), ("new@c.com", "Global Administrator"), "who gains, and the role"),
    ("azure", "PIM", "add member to ROLE in PIM completed (permanent)", entra({"type": "Role", "displayName": "Global Administrator"}, {"type": "Request"}, USER), ("new@c.com", "Global Administrator"), "who gains, wherever it stands; without regard to case"),
    ("azure", "Core Directory", "Add member to role", {"targetResources": [USER, {"type": "Role", "displayName": "Global Administrator"}]}, ("new@c.com", "Global Administrator"), "as Microsoft Graph has it"),
    ("azure", "Core Directory", "Add member to role", {"TargetResources": json.dumps([USER, {"type": "Role", "displayName": "Global Administrator"}])}, ("new@c.com", "Global Administrator"), "as Log Analytics exports it, as text"),
    ("azure", "Core Directory", "Add app role assignment to service principal", entra({**GRAPH, "modifiedProperties": modified(AppRole_Value="RoleManagement.ReadWrite.Directory", ServicePrincipal_DisplayName="app")}, {"type": "ServicePrincipal", "displayName": "app"}), ("app", "RoleManagement.ReadWrite.Directory"), "the app that gains, not Microsoft Graph"),
    ("azure", "Core Directory", "Add app role assignment to service principal", entra(GRAPH, {"type": "ServicePrincipal", "displayName": "app"}), ("app", "Microsoft Graph"), "the app that gains, not Microsoft Graph"),
    ("azure", "Core Directory", "Add member to group", entra({**USER, "modifiedProperties": modified(Group_DisplayName="Admins")}), ("new@c.com", "Admins"), "who gains, and the group"),
    ("azure", "Conditional Access", "Delete conditional access policy", entra({"type": "Policy", "displayName": "Require MFA"}), ("Require MFA", None), "the policy"),
    ("azure", "Azure RBAC (Elevated Access)", "User has elevated their access to User Access Administrator for their Azure Resources", entra(initiatedBy={"user": {"userPrincipalName": "a@c.com"}}), ("a@c.com", None), "who takes access for themselves"),
    ("azure", "microsoft.authorization", "microsoft.authorization/roleassignments/write", {"resourceId": "/subscriptions/s/x", "properties": {"requestbody": json.dumps({"Properties": {"PrincipalId": "guid", "RoleDefinitionId": "role"}})}}, ("guid", "role"), "who gains, from the body of the request"),
    *(("azure", "microsoft.authorization", "microsoft.authorization/roleassignments/write", {"_ResourceId": "/subscriptions/s/x", column: json.dumps({
        "requestbody": json.dumps({"Properties": {"PrincipalId": "guid", "RoleDefinitionId": "role"}})})}, ("guid", "role"), "so a row of Log Analytics")
      for column in ("Properties", "Properties_d")),
    ("azure", "microsoft.keyvault", "microsoft.keyvault/vaults/write", {"resourceId": "/subscriptions/s/v"}, ("/subscriptions/s/v", None), "the resource"),
)
for provider, service, operation, document, expected, what in CASES:
    ok(find(provider, service, operation, document) == expected, f"{operation}: {what}", find(provider, service, operation, document))


def whole(provider, service, operation, document):
    """The case with what a document needs to be read at all."""
    if provider == "aws":
        return {"eventTime": "2026-01-01T00:00:00Z", "eventSource": service + ".amazonaws.com", "eventName": operation,
                "userIdentity": {"type": "Root"}, **document}
    if provider == "gcp":
        return {**document, "timestamp": "2026-01-01T00:00:00Z", "logName": "projects/p/logs/x",
                "protoPayload": {**document["protoPayload"], "serviceName": service, "methodName": operation}}
    if "/" in operation:
        return {"time": "2026-01-01T00:00:00Z", "operationName": operation, "caller": "a@c.com", **document}
    record = document.get("properties", document)
    record.update(activityDisplayName=operation, activityDateTime="2026-01-01T00:00:00Z", loggedByService=service)
    record.setdefault("initiatedBy", {"user": {"userPrincipalName": "a@c.com"}})
    return document


# The extension reads the same, of the cases and of every real record.
documents = [whole(*case[:4]) for case in CASES]
for name in ("aws_attack_simulation", "aws_attack_techniques", "gcp_attack_techniques"):
    with open(os.path.join(ROOT, "data", "events", name + ".ndjson")) as file:
        documents += [d.get("event", d) for d in map(json.loads, file)]
database = Database("iamwatch_targets")
database.create()
lines = "\n".join(json.dumps(d).replace("\\", "\\\\") for d in documents)
rows = list(map(json.loads, database.psql(f"""CREATE EXTENSION iamwatch; CREATE TEMP TABLE documents (n serial, d jsonb);
COPY documents (d) FROM STDIN;\n{lines}\n\\.
SELECT json_build_array(e.provider, e.service, e.operation, e.target, e.granted) FROM documents, iamwatch.parse(d) AS e ORDER BY n""").splitlines()))
database.drop()
different = [(row, want) for document, row in zip(documents, rows) if row[0] and
             tuple(row[3:]) != (want := find(*row[:3], document))]
ok(len(rows) == len(documents) and all(row[0] for row in rows[:len(CASES)]), f"{len(rows)} documents, of which the extension reads the cases all")
ok(not different, "iamwatch.parse() finds the target and the grant that the reference finds",
   "\n".join(f"{row}\n  want {want}" for row, want in different[:5]))
finish()
