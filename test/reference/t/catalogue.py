"""The catalogue of IAM operations: its rows by the rules of data/README.md, and that it is what is installed."""
import collections
import csv
import glob
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from harness import ROOT, Database, finish, ok

CATEGORIES = {"account", "credential", "mfa", "permission", "role", "group", "federation", "resource_policy",
              "org_policy", "detection", "session", "sign_in", "read", "other"}
COLUMNS = ["provider", "service", "operation", "match", "category", "effect", "attack_technique", "sensitivity", "note"]
PROVIDERS = ("aws", "azure", "gcp")


def read(*path, encoding="ascii"):
    with open(os.path.join(ROOT, *path), newline="", encoding=encoding) as file:
        return list(csv.reader(file))


def folded(row):
    """Names as they are compared: those of Azure without case."""
    key = (row["provider"], row["service"], row["operation"])
    return tuple(name.lower() for name in key) if row["provider"] == "azure" else key


def named(rows):
    return "\n".join(" ".join((r["provider"], r["service"], r["operation"])) for r in rows)


rows = []
for provider in PROVIDERS:
    header, *lines = read("data", "catalogue", provider + ".csv")
    ok(header == COLUMNS and all(len(line) == len(header) for line in lines), f"{provider}: every row has every column")
    rows += [dict(zip(header, line)) for line in lines]
    ok(all(line[0] == provider for line in lines), f"{provider}: and is of the provider")

counts = collections.Counter(folded(row) + (row["match"],) for row in rows)
ok(max(counts.values()) == 1, "No operation has two rows, those of Azure without regard to case",
   "\n".join(map(str, (key for key, n in counts.items() if n > 1))))
wrong = [r for r in rows if r["match"] not in ("exact", "suffix") or not r["service"] or not r["operation"]
         or r["operation"] != r["operation"].rstrip() + " " * ("with a blank at the end" in r["note"])]
ok(not wrong, "Names are there, compared whole or by their end, and end in a blank only where the note says that logs do", named(wrong))
wrong = [r for r in rows if r["category"] not in CATEGORIES or r["effect"] not in ("create", "modify", "delete", "read")]
ok(not wrong, "Categories and effects are of those that there are", named(wrong))
with open(os.path.join(ROOT, "docs", "tuning.md")) as file:
    listed = set(re.findall(r"^\| `(\w+)` \|", file.read(), re.M))
ok(CATEGORIES <= listed, "docs/tuning.md lists every category", CATEGORIES - listed)
wrong = [r for r in rows if not re.fullmatch("[1-4]", r["sensitivity"])]
ok(not wrong, "Sensitivities are 1 to 4", named(wrong))

with open(glob.glob(os.path.join(ROOT, "sql", "**", "explain.sql"), recursive=True)[0]) as file:
    techniques = set(re.findall(r"'(T1\d{3}(?:\.\d{3})?)'", file.read()))
wrong = [r for r in rows if r["effect"] != "read" and r["attack_technique"] not in techniques]
ok(not wrong, "Techniques of ATT&CK are of those whose names explain() knows", named(wrong))

# The rule of sensitivity, as far as category and effect say it.
watched = [r for r in rows if r["effect"] != "read" and r["category"] not in ("session", "sign_in")]
wrong = [r for r in rows if r["effect"] == "read" and r["sensitivity"] != "1"]
ok(not wrong, "What only reads is 1", named(wrong))
wrong = [r for r in watched if r["category"] == "detection" and r["effect"] == "delete" and r["sensitivity"] != "4"]
ok(not wrong, "What switches detection off is 4", named(wrong))
wrong = [r for r in watched if r["category"] == "mfa" and r["effect"] == "delete" and r["sensitivity"] not in "34"]
ok(not wrong, "What takes MFA away is 3 at least", named(wrong))
wrong = [r for r in watched if r["effect"] == "delete" and r["category"] in ("account", "group", "credential", "role")
         and r["sensitivity"] in "34" and not r["note"]]
ok(not wrong, "What takes power away is 2 at most, or its note says why not", named(wrong))
wrong = [r for r in watched if r["category"] == "other" and r["sensitivity"] in "34"]
ok(not wrong, "What has no category gives no power", named(wrong))
sensitivity = {(r["provider"], r["service"], r["operation"]): r["sensitivity"] for r in rows}
for key in (("aws", "iam", "CreateAccessKey"), ("aws", "iam", "AttachUserPolicy"), ("aws", "iam", "DeactivateMFADevice"),
            ("aws", "organizations", "LeaveOrganization"), ("aws", "organizations", "DetachPolicy"),
            ("aws", "cloudtrail", "StopLogging"), ("aws", "cloudtrail", "DeleteTrail"), ("aws", "guardduty", "DeleteDetector"),
            ("gcp", "login.googleapis.com", "google.login.LoginService.2svDisable"),
            ("gcp", "iam.googleapis.com", "google.iam.admin.v1.CreateServiceAccountKey"),
            ("azure", "*", "Delete conditional access policy"), ("azure", "*", "Add member to role")):
    ok(sensitivity.get(key) == "4", f"{key[1]} {key[2]} is 4")

# No log writes these: they are how the model of the API calls the endpoint.
endpoints = {"appstream2", "cloudhsmv2", "models-v2-lex", "memory-db", "bedrock-agentcore-control", "catalog.marketplace",
             "controlplane.payment-cryptography", "data.qapps", "s3-control", "api.ecr", "streams.dynamodb"}
wrong = [r for r in rows if r["service"] in endpoints]
ok(not wrong, "Services of AWS have the name that logs write", named(wrong))

exact = {folded(r): r for r in rows if r["match"] == "exact"}
suffixes = [r for r in rows if r["match"] == "suffix"]


def find(row):
    provider, service, operation = folded(row)
    for key in ((provider, service, operation), (provider, "*", operation)):
        if key in exact:
            return exact[key]
    fitting = [r for r in suffixes if folded(r)[0] == provider and folded(r)[1] in (service, "*")
               and operation.endswith(folded(r)[2])]
    return max(fitting, key=lambda r: len(r["operation"]), default=None)


header, *lines = read("test", "reference", "watched.csv", encoding="utf-8")
missing = [row for row in (dict(zip(header, line)) for line in lines) if find(row) not in watched]
ok(not missing, f"All {len(lines)} operations that rules of peers watch are watched", named(missing))

base = Database("iamwatch_catalogue")
base.create()
try:
    base.psql("CREATE EXTENSION iamwatch")
    installed = base.psql("COPY (SELECT provider, service, operation, match, category, effect, attack_technique, sensitivity,"
                          " note FROM iamwatch.operations) TO STDOUT (FORMAT csv)")
    ok(sorted(csv.reader(installed.splitlines())) == sorted([r[c] for c in COLUMNS] for r in rows),
       "CREATE EXTENSION installs these rows and no others")
finally:
    base.drop()
finish()
