"""Every event has a use and a line in the documentation: abuse-cases.md H 166."""

import ast
import re
from importlib import import_module
from pathlib import Path

import pytest
from django.conf import settings

from portal.audit.vocabulary import event_names

ROOT = Path(settings.BASE_DIR)
APPS = ("portal", "sls", "compliance")
MODULES = [f"{app}.events" for app in APPS if (ROOT / app / "events.py").exists()]
CONSTANTS = [
    (module, name, value)
    for module in MODULES
    for name, value in vars(import_module(module)).items()
    if name.isupper() and isinstance(value, str)
]
NAME = re.compile(r"(portal|sls|compliance)(\.[a-z][a-z_]*){2}")


def used_names() -> set[str]:
    """Names and attributes that code outside the vocabularies reads, `history` in words left out."""
    found = set()
    for app in APPS:
        for path in (ROOT / app).rglob("*.py"):
            if path.name == "events.py" or path.match("sls/activity/rules.py"):
                continue
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Attribute):
                    found.add(node.attr)
                elif isinstance(node, ast.alias):
                    found.add(node.name)
    return found


def in_use() -> list[tuple[str, str, str]]:
    """Those of apps that record anything: a vocabulary may stand before its app does."""
    used = used_names()
    apps = {module for module, name, _value in CONSTANTS if name in used}
    assert {"portal.events", "sls.events"} <= apps
    return [constant for constant in CONSTANTS if constant[0] in apps]


def test_every_event_is_used():
    used = used_names()
    assert [(m, name) for m, name, _value in in_use() if name not in used] == []


def test_every_event_is_documented_and_nothing_else():
    text = (ROOT / "docs" / "audit.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `([a-z_.]+)` \|", text, flags=re.MULTILINE)
    events = sorted(value for _module, _name, value in CONSTANTS)
    assert sorted(name for name in listed if "." in name) == events


def test_events_are_dotted_names_of_their_app_and_stand_once():
    values = [value for _module, _name, value in CONSTANTS]
    assert len(set(values)) == len(values)
    for module, _name, value in CONSTANTS:
        assert NAME.fullmatch(value), value
        assert value.startswith(module.split(".")[0] + "."), value
        assert len(value) <= 60


def test_the_filter_of_the_auditors_offers_every_event():
    assert set(event_names()) == {value for _module, _name, value in CONSTANTS}


@pytest.mark.parametrize("app", APPS)
def test_no_event_is_written_as_a_bare_string(app):
    bare = []
    for path in (ROOT / app).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "event":
                value = node.value
                if isinstance(value, ast.Constant) and "." in str(value.value):
                    bare.append((path.name, value.value))
    assert bare == []


def test_every_event_is_asserted_by_some_test():
    text = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py"))
    named = set(re.findall(r"\bevents\.([A-Z_]+)\b", text))
    missing = [v for _m, n, v in in_use() if n not in named and f'"{v}"' not in text]
    assert missing == []
