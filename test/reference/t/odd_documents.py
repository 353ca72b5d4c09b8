"""Odd documents are read as the reference reads them."""
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
import reference
from harness import ROOT, Database, finish, ok

database = Database("iamwatch_odd_documents")
DOCUMENTS = 10000
PG_CONFIG = os.environ.get("PG_CONFIG", "pg_config")


def as_rows(e):
    """The fields that decide, of the reference's event; null when it is unreadable."""
    return e and [e["provider"], e["account"], e["identity"], e["kind"], e["person"], e["service"],
                  e["operation"], e["failed"], e["id"], e["time"], e["instance"]]


with tempfile.TemporaryDirectory() as folder:
    os.chmod(folder, 0o755)
    library = os.path.join(folder, "documents.so")
    headers = subprocess.run([PG_CONFIG, "--includedir-server"], capture_output=True, text=True, check=True).stdout.strip()
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-D_GNU_SOURCE", "-I" + headers, "-o", library,
                    os.path.join(ROOT, "test", "fuzz", "documents.c")], check=True)
    database.create()
    rows = database.psql(f"""
        CREATE EXTENSION iamwatch;
        CREATE FUNCTION documents(seeds jsonb[], seed bigint, inputs bigint) RETURNS SETOF jsonb
            AS '{library}', 'fuzz_documents' LANGUAGE C VOLATILE STRICT;
        CREATE TEMP TABLE lines (line text);
        \\copy lines FROM 'test/fuzz/documents.ndjson' (FORMAT csv, DELIMITER E'\\x01', QUOTE E'\\x02')
        SELECT json_build_object('document', d, 'event', CASE WHEN e.provider IS NOT NULL THEN json_build_array(
            e.provider, e.account, e.identity, e.identity_kind, e.is_user, e.service, e.operation, e.failed, e.event_id,
            (extract(epoch FROM e.event_time) * 1000000)::bigint, e.instance_id) END)
        FROM documents((SELECT array_agg(line::jsonb) FROM lines), 7, {DOCUMENTS}) AS d
        CROSS JOIN LATERAL iamwatch.parse(d) AS e;
        """).splitlines()
    database.drop()

different = []
readable = 0
for row in map(json.loads, rows):
    want = as_rows(reference.parse(row["document"]))
    readable += want is not None
    if row["event"] != want:
        different.append((row["document"], row["event"], want))
ok(len(rows) == DOCUMENTS and readable > DOCUMENTS / 4,
   f"{len(rows)} odd documents, of which the reference can read {readable}")
ok(not different, "iamwatch.parse() reads each as the reference does",
   "\n".join(f"{json.dumps(document)[:1500]}\n  got {got}\n  want {want}" for document, got, want in different[:5]))
finish()
