"""docs/triage.md with the data of the demo: every block of SQL runs, and what the page shows, it prints."""
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from harness import ROOT, Database, finish, ok


def plain(line):
    """Without what only lays it out."""
    return re.sub(r"[\s|]+", " ", line).strip()


database = Database("iamwatch_morning")
database.create()
# The server counts rows when a session ends, which may be after psql has gone; asked to, before it answers.
demo = subprocess.run(["psql", "-qX", "-d", database.name, "-f", "demo/demo.sql", "-c", "SELECT pg_stat_force_next_flush()"],
                      cwd=ROOT, capture_output=True, text=True)
ok(database.psql("SELECT count(*) > 20 FROM iamwatch.alerts").strip() == "t", "the demo's data is there", demo.stderr)

# Who reads the page has no more than it says, but for what it says is others'.
database.psql("DROP ROLE IF EXISTS iamwatch_test_morning; CREATE ROLE iamwatch_test_morning; GRANT SELECT ON audit_log TO iamwatch_test_morning;"
              "SELECT iamwatch.grant_access('iamwatch_test_morning', 'triage')")
OTHERS = re.compile(r"^(CREATE INDEX|INSERT INTO iamwatch\.playbook|UPDATE iamwatch\.detectors)")

page = open(os.path.join(ROOT, "docs", "triage.md")).read()
blocks = re.findall(r"^```(sql|text)\n(.*?)^```", page, re.M | re.S)
printed = ""
shown = 0
for n, (kind, block) in enumerate(blocks):
    if kind == "sql":
        done = subprocess.run(["psql", "-qX", "-P", "pager=off", "-v", "ON_ERROR_STOP=1", "-d", database.name, "-f", "-"],
                              cwd=ROOT, input=block, capture_output=True, text=True,
                              env=os.environ if OTHERS.match(block) else dict(os.environ, PGOPTIONS="-c role=iamwatch_test_morning"))
        printed = plain(done.stdout.replace("+\n", "\n"))
        ok(done.returncode == 0 and "WARNING" not in done.stderr, f"runs: {block.splitlines()[0][:80]}", done.stderr)
    else:
        for line in block.splitlines():
            shown += 1
            ok(plain(line) in printed, f"prints: {plain(line)[:100]}", printed[:4000])
ok(sum(bool(OTHERS.match(block)) for kind, block in blocks if kind == "sql") == 3, "three blocks are others', as the page says")
ok(shown >= 20, "the page shows what its queries print", shown)
database.psql("DROP OWNED BY iamwatch_test_morning; DROP ROLE iamwatch_test_morning")
database.drop()
finish()
