"""Each folder of src/ includes headers of itself and of those under it, never of one above."""
import glob
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from harness import ROOT, finish, ok

FLOORS = ["server", "event", "config", "baseline", "detect"]
wrong, seen = [], 0
for path in sorted(glob.glob(os.path.join(ROOT, "src", "*", "*.[ch]"))):
    floor = FLOORS.index(os.path.basename(os.path.dirname(path)))
    for folder, name in re.findall(r'^#include "(\w+)/(\w+)\.h"', open(path).read(), re.M):
        if os.path.exists(os.path.join(ROOT, "src", folder, name + ".h")):
            seen += 1
            if FLOORS.index(folder) > floor:
                wrong.append(f"{os.path.relpath(path, ROOT)} includes {folder}/{name}.h")
ok(seen > 50 and not wrong, "layers: a folder of src/ uses only those under it: " + ", ".join(reversed(FLOORS)), "\n".join(wrong))
long = [f for f in glob.glob(os.path.join(ROOT, "src", "**", "*.c"), recursive=True) if sum(1 for _ in open(f)) > 600]
ok(not long, "layers: no C file has more than 600 lines", " ".join(long))
unsorted = []
for path in glob.glob(os.path.join(ROOT, "src", "**", "*.[ch]"), recursive=True):
    for block in re.findall(r'(?:^#include "(?!postgres\.h)[^"\n]+"\n)+', open(path).read(), re.M):
        if block.splitlines() != sorted(block.splitlines()):
            unsorted.append(os.path.relpath(path, ROOT))
ok(not unsorted, "layers: headers are included in the order of their names", " ".join(unsorted))
types = set(open(os.path.join(ROOT, "typedefs.list")).read().split())
missing = set()
for path in glob.glob(os.path.join(ROOT, "src", "**", "*.[ch]"), recursive=True):
    missing |= set(re.findall(r"^}\s*(\w+);", re.sub(r"/\*.*?\*/", "", open(path).read(), flags=re.S), re.M)) - types
missing = {name for name in missing if name[0].isupper()}
ok(not missing, "layers: typedefs.list has every type of src/, for make indent", " ".join(sorted(missing)))
keyless = [os.path.relpath(path, ROOT) for path in glob.glob(os.path.join(ROOT, "src", "**", "*.[ch]"), recursive=True)
           if re.search(r"^#define SH_HASH_KEY.*(slice_hash|hash_bytes)", open(path).read(), re.M)]
ok(not keyless, "layers: no table in memory finds strings by a hash without a key, which whoever chooses them could make collide", " ".join(keyless))
used = [os.path.basename(path) for path in glob.glob(os.path.join(ROOT, "test", "sql", "*.sql"))
        if not re.match(r"((\\set .*|SET client_min_messages .*|--.*)\n)*DROP EXTENSION iamwatch CASCADE;\n", open(path).read())]
ok(not used, "layers: a test in test/sql begins with a new extension, whatever ran before in the database", " ".join(used))
finish()
