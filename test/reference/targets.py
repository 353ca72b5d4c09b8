"""Where a document says what was changed and what was granted: data/targets, read by the rules of data/README.md."""
import csv
import json
import os
import re

STEP = re.compile(r"([^.\[(]+)(?:\[([^\]]*)\])?(\(last\))?(?:\.|$)")
CONSTANTS = ("default", "-")


def container(value):
    """An object or array, also one that stands there as text."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            value = json.loads(value)
        except ValueError:
            return None
    return value if isinstance(value, (dict, list)) else None


def text(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if not isinstance(value, str):
        return None
    if len(value) >= 2 and value[0] == value[-1] == '"':    # text of JSON in text
        try:
            value = json.loads(value)
        except ValueError:
            pass
    return value or None


def field(value, name, azure):
    """The exact name wins; then the name in lower case; of Azure's, with a capital."""
    fields = container(value)
    if not isinstance(fields, dict):
        return None
    for spelt in (name, name.lower()) + ((name[:1].upper() + name[1:],) if azure else ()):
        if spelt in fields:
            return fields[spelt]
    return None


def found(value, path, azure, last=False):
    """All values at a path, as text."""
    if not path:
        plain = text(value)
        if plain is None and container(value):
            plain = json.dumps(container(value))
        if plain and last:
            plain = plain.rsplit("/", 1)[-1]
        return [plain] if plain else []
    if path[0] == "{":
        parts = [found(value, name, azure) for name in re.findall(r"\{([^}]*)\}", path)]
        if not any(parts):
            return []
        filled = iter(parts)
        return [re.sub(r"\{[^}]*\}", lambda _: ", ".join(next(filled)), path).strip()]
    step = STEP.match(path)
    name, selector, last = step[1], step[2], bool(step[3])
    inner, rest = field(value, name, azure), path[step.end():]
    if selector is None:
        elements = [inner]
    else:
        elements = container(inner)
        elements = elements if isinstance(elements, list) else [inner]
        if re.fullmatch(r"-?\d+", selector):
            n = int(selector)
            whole = isinstance(container(inner), list) and -len(elements) <= n < len(elements)
            elements = [elements[n]] if whole else []
        elif selector:
            key, wanted = selector.split("=", 1)
            elements = [e for e in elements if text(field(e, key, azure)) == wanted]
    return [value for e in elements if e is not None for value in found(e, rest, azure, last)]


class Targets:
    def __init__(self, folder):
        self.exact, self.suffixes = {}, []
        for name in ("aws.csv", "gcp.csv", "azure.csv"):
            with open(os.path.join(folder, name), newline="") as file:
                for row in csv.DictReader(file):
                    key = tuple(self.folded(row["provider"], row[c]) for c in ("provider", "service", "operation"))
                    paths = [[p for p in row[c].split("|") if p] for c in ("target", "granted")]
                    if row["match"] == "suffix":
                        self.suffixes.append((key, paths))
                    else:
                        self.exact[key] = paths
        self.suffixes.sort(key=lambda row: (-len(row[0][2]), row[0][1] == "*"))

    @staticmethod
    def folded(provider, name):
        return name.lower() if provider == "azure" else name

    def rows(self, provider, service, operation):
        """From the one of the operation to the one for everything."""
        service, operation = self.folded(provider, service), self.folded(provider, operation)
        for key in ((provider, service, operation), (provider, "*", operation)):
            if key in self.exact:
                yield self.exact[key]
        for key, paths in self.suffixes:
            if key[0] == provider and key[1] in (service, "*") and operation.endswith(key[2]):
                yield paths
                break
        for key in ((provider, service, "*"), (provider, "*", "*")):
            if key in self.exact:
                yield self.exact[key]

    def find(self, provider, service, operation, document):
        """Target and granted, None for what is not there."""
        azure, result = provider == "azure", []
        for column in (0, 1):
            paths = next((row[column] for row in self.rows(provider, service, operation) if row[column]), [])
            result.append(None)
            for path in paths:
                roots, values = [document], []
                if azure:                   # exported, most is within properties; returned by an API, at the top
                    path = path.removeprefix("properties.")
                    roots = [r for r in (container(field(document, "properties", True) or document.get("Properties_d")), document) if r]
                for root in roots:
                    values = values or list(dict.fromkeys(found(root, path, azure)))
                values = [v for v in values if column or v not in CONSTANTS]
                if values:
                    result[column] = values[0] if column == 0 else ", ".join(values)
                    break
        return tuple(result)
