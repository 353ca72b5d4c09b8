"""docs/reference.md has every object of the extension, as it is now."""
import os
import subprocess

ROOT = os.path.join(os.path.dirname(__file__), "..", "..", "..")
DATABASE = "iamwatch_objects"
count = 0


def ok(passed, description, detail=""):
    global count
    count += 1
    print(("ok" if passed else "not ok"), count, "-", description)
    if not passed:
        for line in detail.splitlines()[:20]:
            print("#", line)


def psql(*options):
    return subprocess.run(["psql", "-qXAt", "-v", "ON_ERROR_STOP=1", "-d", DATABASE, *options], check=True, capture_output=True, text=True).stdout


subprocess.run(["dropdb", "--if-exists", DATABASE], check=True, capture_output=True)
subprocess.run(["createdb", DATABASE], check=True)
psql("-c", "CREATE EXTENSION iamwatch")
made = psql("-f", os.path.join(ROOT, "docs", "reference.sql"))
page = open(os.path.join(ROOT, "docs", "reference.md")).read()
wrong = [f"missing: {line}" for line in made.splitlines() if line not in page] + [f"outdated: {line}" for line in page.splitlines() if line not in made]
ok(page == made, "reference: it is what make reference writes", "\n".join(wrong))
names = psql("-c", "SELECT DISTINCT c.relname FROM pg_class c WHERE c.relnamespace = 'iamwatch'::regnamespace AND c.relkind IN ('r', 'v')"
             " UNION SELECT p.proname FROM pg_proc p WHERE p.pronamespace = 'iamwatch'::regnamespace"
             " UNION SELECT a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE c.relnamespace = 'iamwatch'::regnamespace"
             " AND c.relkind IN ('r', 'v') AND a.attnum > 0").split()
absent = [name for name in names if f"`{name}" not in page]
ok(len(names) > 100 and not absent, f"reference: every table, view, column and function is in it ({len(names)} names)", " ".join(absent))
bare = psql("-c", "SELECT p.oid::regprocedure::text FROM pg_proc p WHERE pronamespace = 'iamwatch'::regnamespace AND obj_description(p.oid, 'pg_proc') IS NULL"
            " UNION ALL SELECT c.oid::regclass::text FROM pg_class c WHERE relnamespace = 'iamwatch'::regnamespace AND relkind IN ('r', 'v')"
            " AND obj_description(c.oid, 'pg_class') IS NULL"
            " UNION ALL SELECT t.typname FROM pg_type t WHERE typnamespace = 'iamwatch'::regnamespace AND typelem = 0 AND obj_description(oid, 'pg_type') IS NULL"
            " AND (typrelid = 0 OR (SELECT relkind = 'c' FROM pg_class c WHERE c.oid = typrelid))").strip()
ok(bare == "", "reference: every object has a comment", bare)
subprocess.run(["dropdb", DATABASE], check=True)
print(f"1..{count}")
