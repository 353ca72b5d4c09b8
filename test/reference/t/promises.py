"""docs/security.md, sentence by sentence: each is asserted by a test that there is.

test/reference/promises.txt has after "> " each sentence, and the tests that
assert it: a file, and a text that stands in it.  A sentence that promises
nothing has "-" and why instead: what is meant by a word, what to do, or what
PostgreSQL does whatever this extension does.  Who changes a sentence looks for
its tests again.
"""
import glob
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from harness import ROOT, Database, finish, ok

PAGE = os.path.join(ROOT, "docs", "security.md")
LIST = os.path.join(ROOT, "test", "reference", "promises.txt")
NO_PROMISE = ("meaning", "advice", "PostgreSQL", "overview")


def sentences(text):
    """Of paragraphs and lists; a row of a table is one."""
    text = re.sub(r"^```.*?^```\n", "\n", text, flags=re.M | re.S)
    blocks, current = [], []
    for line in text.splitlines() + [""]:
        begins = re.match(r"(- |\d+\. |\||#)", line)
        if current and (begins or not line.strip()):
            blocks.append(" ".join(current))
            current = []
        if line.startswith("|"):
            blocks.append(line.strip())
        elif line.strip() and not line.startswith("#"):
            current.append(re.sub(r"^\d+\. ", "", line).strip())
    for block in blocks:
        if block.startswith("|"):
            if not re.fullmatch(r"[|\s-]+", block):
                yield block
        else:
            yield from re.split(r"(?<=[.:?])\s+(?=[A-Z`*\"(])", block)


def promises(text):
    """Sentences, with the lines that follow each."""
    found = []
    for line in text.splitlines():
        if line.startswith("> "):
            found.append((line[2:], []))
        elif line.strip() and not line.startswith("#"):
            found[-1][1].append(line)
    return found


with open(PAGE) as file:
    page = file.read()
with open(LIST) as file:
    listed = promises(file.read())
said = list(sentences(page))
ok(len(said) > 100 and len(listed) == len(said), f"{len(said)} sentences, {len(listed)} in the list")
unlisted = [s for s in said if [sentence for sentence, _ in listed].count(s) != 1]
ok(not unlisted, "Every sentence is in the list once", "\n".join(unlisted))
gone = [sentence for sentence, _ in listed if sentence not in said]
ok(not gone, "and the list has nothing that the page does not say", "\n".join(gone))

run = {os.path.relpath(name, ROOT) for pattern in ("sql/*.sql", "pgtap/*.sql", "specs/*.spec", "t/*.pl", "reference/t/*.py")
       for name in glob.glob(os.path.join(ROOT, "test", pattern))}
texts = {}
wrong, asserted = [], 0
for sentence, lines in listed:
    if not lines:
        wrong.append(f"{sentence}: by no test")
    for line in lines:
        what, _, text = line.partition(": ")
        if what == "-":
            if len(lines) > 1 or text not in NO_PROMISE:
                wrong.append(f"{sentence}: {line}")
            continue
        if what not in run:
            wrong.append(f"{sentence}: {what} is no test that make check runs")
            continue
        if what not in texts:
            with open(os.path.join(ROOT, what)) as file:
                texts[what] = file.read()
        asserted += 1
        if len(text) < 10 or text not in texts[what]:
            wrong.append(f"{sentence}: {what} does not say: {text}")
ok(not wrong, f"{asserted} assertions are where the list says", "\n".join(wrong))

# What the page gives in numbers is what is shipped.
database = Database("iamwatch_promises")
database.create()
shipped = dict(line.split() for line in database.psql(
    "CREATE EXTENSION iamwatch; SELECT name || ' ' || to_char(value, 'FM999,999,999') FROM iamwatch.limits;").splitlines())
told = dict(re.findall(r"^\| `(\w+)` \| ([\d,]+)", page, re.M))
ok(shipped == told and len(told) == 10, "The limits and their values are those that are shipped", f"{shipped} {told}")
database.drop()
finish()
