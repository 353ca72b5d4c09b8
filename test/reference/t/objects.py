"""docs/reference.md has every object of the extension, as it is now."""
import glob
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from harness import ROOT, Database, finish, ok

database = Database("iamwatch_objects")
psql = database.psql
database.create()
psql("CREATE EXTENSION iamwatch")
made = psql(open(os.path.join(ROOT, "docs", "reference.sql")).read())
page = open(os.path.join(ROOT, "docs", "reference.md")).read()
wrong = [f"missing: {line}" for line in made.splitlines() if line not in page] + [f"outdated: {line}" for line in page.splitlines() if line not in made]
ok(page == made, "reference: it is what make reference writes", "\n".join(wrong))
names = psql("SELECT DISTINCT c.relname FROM pg_class c WHERE c.relnamespace = 'iamwatch'::regnamespace AND c.relkind IN ('r', 'v')"
             " UNION SELECT p.proname FROM pg_proc p WHERE p.pronamespace = 'iamwatch'::regnamespace"
             " UNION SELECT a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE c.relnamespace = 'iamwatch'::regnamespace"
             " AND c.relkind IN ('r', 'v') AND a.attnum > 0").split()
absent = [name for name in names if f"`{name}" not in page]
ok(len(names) > 100 and not absent, f"reference: every table, view, column and function is in it ({len(names)} names)", " ".join(absent))
bare = psql("SELECT p.oid::regprocedure::text FROM pg_proc p WHERE pronamespace = 'iamwatch'::regnamespace AND obj_description(p.oid, 'pg_proc') IS NULL"
            " UNION ALL SELECT c.oid::regclass::text FROM pg_class c WHERE relnamespace = 'iamwatch'::regnamespace AND relkind IN ('r', 'v')"
            " AND obj_description(c.oid, 'pg_class') IS NULL"
            " UNION ALL SELECT t.typname FROM pg_type t WHERE typnamespace = 'iamwatch'::regnamespace AND typelem = 0 AND obj_description(oid, 'pg_type') IS NULL"
            " AND (typrelid = 0 OR (SELECT relkind = 'c' FROM pg_class c WHERE c.oid = typrelid))").strip()
ok(bare == "", "reference: every object has a comment", bare)
bare = psql("SELECT c.oid::regclass || '.' || a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
            " WHERE c.relnamespace = 'iamwatch'::regnamespace AND c.relkind IN ('r', 'v') AND coalesce(col_description(c.oid, a.attnum), '') = ''").strip()
ok(bare == "", "reference: every column has a comment", bare)
named = [f"{os.path.relpath(path, ROOT)}: {name}" for path in [os.path.join(ROOT, "README.md"), *glob.glob(os.path.join(ROOT, "docs", "*"))]
         if os.path.basename(path) not in ("developing.md", "reference.sql") for name in re.findall(r"iamwatch_internal\.\w+", open(path).read())]
ok(not named, "reference: no page for users names an object of the machinery", "\n".join(named))
database.drop()
finish()
