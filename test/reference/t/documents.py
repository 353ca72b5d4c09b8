"""Every SQL block of README and docs runs, in order, page by page."""
import glob
import os
import re
import subprocess

ROOT = os.path.join(os.path.dirname(__file__), "..", "..", "..")
DATABASE = "iamwatch_documents"
count = 0
for page in sorted(glob.glob(os.path.join(ROOT, "README.md")) + glob.glob(os.path.join(ROOT, "docs", "*.md"))):
    blocks = re.findall(r"^ *```sql\n(.*?)^ *```", open(page).read(), re.M | re.S)
    subprocess.run(["dropdb", "--if-exists", DATABASE], check=True, capture_output=True)
    subprocess.run(["createdb", DATABASE], check=True)
    before = "" if page.endswith(("README.md", "installing.md")) else (
        "CREATE EXTENSION iamwatch; CREATE TABLE audit_log (id bigint GENERATED ALWAYS AS IDENTITY, event jsonb);")
    # pg_cron needs a server of its own: test/t/cron.pl
    before += ("CREATE SCHEMA cron; CREATE FUNCTION cron.schedule(text, text, text) RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint';"
               "DROP ROLE IF EXISTS soc_reader;")
    done = subprocess.run(["psql", "-qX", "-v", "ON_ERROR_STOP=1", "-d", DATABASE, "-f", "-"],
                          input=before + "\n" + "\n".join(blocks), capture_output=True, text=True)
    count += 1
    print("ok" if done.returncode == 0 else "not ok", count, "-", f"{os.path.basename(page)}: {len(blocks)} blocks of SQL run")
    if done.returncode:
        for line in done.stderr.splitlines()[:10]:
            print("#", line)
subprocess.run(["dropdb", DATABASE], check=True)
subprocess.run(["psql", "-qX", "-d", "postgres", "-c", "DROP ROLE IF EXISTS soc_reader"], check=True)
print(f"1..{count}")
