"""Every SQL block of README and docs runs, in order, page by page."""
import glob
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from harness import ROOT, Database, finish, ok

database = Database("security")    # as docs/tuning.md calls it
for page in sorted(glob.glob(os.path.join(ROOT, "README.md")) + glob.glob(os.path.join(ROOT, "docs", "*.md"))):
    if page.endswith("triage.md"):
        continue    # with the data that it tells of: morning.py
    blocks = re.findall(r"^ *```sql\n(.*?)^ *```", open(page).read(), re.M | re.S)
    database.create()
    before = "" if page.endswith(("README.md", "installing.md")) else (
        "CREATE EXTENSION iamwatch; CREATE TABLE audit_log (id bigint GENERATED ALWAYS AS IDENTITY, event jsonb);")
    # pg_cron needs a server of its own: test/t/cron.pl
    before += ("CREATE SCHEMA cron; CREATE FUNCTION cron.schedule(text, text, text) RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint';"
               "DROP ROLE IF EXISTS soc_reader; DROP ROLE IF EXISTS log_loader;")
    done = database.run(before + "\n" + "\n".join(blocks))
    ok(done.returncode == 0, f"{os.path.basename(page)}: {len(blocks)} blocks of SQL run", done.stderr)
database.drop()
subprocess.run(["psql", "-qX", "-d", "postgres", "-c", "DROP ROLE IF EXISTS soc_reader, log_loader"], check=True)
finish()
