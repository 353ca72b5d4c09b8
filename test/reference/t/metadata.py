"""The packages' own descriptions: META.json by the PGXN Meta Spec 1.0.0, and one version everywhere."""
import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from harness import ROOT, finish, ok


def read(name):
    with open(os.path.join(ROOT, name)) as file:
        return file.read()


meta = json.loads(read("META.json"))
VERSION = r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-?[A-Za-z][0-9A-Za-z-]*)?"
TERM = r"[^\s/\\\x00-\x1f]{2,}"
TEXTS = ("name", "version", "abstract", "description", "generated_by", "release_status")

ok({"name", "version", "abstract", "maintainer", "license", "provides", "meta-spec"} <= meta.keys(),
   "META.json has every field that is required")
ok(all(key in TEXTS + ("maintainer", "license", "provides", "meta-spec", "prereqs", "tags", "resources", "no_index")
       or re.match("[xX]_.", key) for key in meta), "and none that the specification does not know")
ok(all(isinstance(meta[key], str) and meta[key] for key in TEXTS), "Its texts are texts, and not empty")
ok(re.fullmatch(TERM, meta["name"]) and re.fullmatch(VERSION, meta["version"]), "Its name is a term and its version a semantic one")
ok(meta["maintainer"] and all(isinstance(m, str) and m for m in meta["maintainer"]), "Maintainers are a list of names")
ok(meta["license"] == "postgresql", "The licence is one of those that have a short name")
ok(meta["release_status"] in ("stable", "testing", "unstable"), "The release status is one that there is")
ok(meta["meta-spec"] == {"version": "1.0.0", "url": "https://pgxn.org/meta/spec.txt"}, "It says which specification it follows")
ok(all(1 <= len(tag) <= 255 and not re.search(r"[/\\\x00-\x1f]", tag) for tag in meta["tags"]), "Tags are short, without slashes")
ok(all(phase in ("configure", "build", "test", "runtime", "develop")
       and relation in ("requires", "recommends", "suggests", "conflicts")
       and all(re.fullmatch(TERM, name) and (version == "0" or re.fullmatch(VERSION, version)) for name, version in needed.items())
       for phase, relations in meta["prereqs"].items() for relation, needed in relations.items()),
   "Prerequisites are by phase and relation, with versions")
for name, extension in meta["provides"].items():
    ok(extension.keys() <= {"file", "version", "abstract", "docfile"} and re.fullmatch(VERSION, extension["version"]),
       f"{name}: what is provided has a version and no field that the specification does not know")
    ok(all(os.path.isfile(os.path.join(ROOT, extension[key])) for key in ("file", "docfile")), f"{name}: its files are in the distribution")

version = re.search(r"^EXTVERSION = (\S+)$", read("Makefile"), re.M)[1]
for where, found in {
    "META.json": meta["version"],
    "META.json, provides": meta["provides"]["iamwatch"]["version"],
    "iamwatch.control": re.search(r"^default_version = '(.*)'$", read("iamwatch.control"), re.M)[1],
    "debian/changelog": re.match(r"iamwatch \((.*)\)", read("debian/changelog"))[1],
}.items():
    ok(found == version, f"{where} has the version of the Makefile")

finish()
