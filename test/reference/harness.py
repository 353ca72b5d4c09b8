"""What the tests in t share: rules as TAP, a database of their own, and events to load."""
import json
import os
import subprocess

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
count = 0


def ok(passed, description, detail=""):
    global count
    count += 1
    print(("ok" if passed else "not ok"), count, "-", description)
    if not passed:
        for line in str(detail).splitlines()[:20]:
            print("#", line)


def skip(description, why):
    global count
    count += 1
    print("ok", count, "-", description, "# SKIP", why)


def finish():
    """To be called last."""
    print(f"1..{count}")


class Database:
    def __init__(self, name):
        self.name = name

    def create(self, template="template1"):
        self.drop()
        subprocess.run(["createdb", "-T", template, self.name], check=True)

    def drop(self):
        subprocess.run(["dropdb", "--if-exists", self.name], check=True, capture_output=True)

    def run(self, script):
        """What became of a script for psql, which stops at the first error."""
        return subprocess.run(["psql", "-qXAt", "-v", "ON_ERROR_STOP=1", "-d", self.name, "-f", "-"], cwd=ROOT,
                              input=script, capture_output=True, text=True)

    def psql(self, script):
        """What it prints."""
        done = self.run(script)
        if done.returncode:
            raise RuntimeError(done.stderr)
        return done.stdout


def copy(events):
    """A statement that stores documents in the table log."""
    lines = "\n".join(json.dumps(e, separators=(",", ":")).replace("\\", "\\\\") for e in events)
    return f"COPY log (event) FROM STDIN;\n{lines}\n\\.\n"


def chunks(rng, events, largest):
    at = 0
    while at < len(events):
        size = rng.randint(1, largest)
        yield events[at:at + size]
        at += size


def difference(got, want):
    return "\n".join([f"only here: {r}" for r in got if r not in want]
                     + [f"only there: {r}" for r in want if r not in got])
