"""House rules that no linter knows: sizes, names, addresses, locks, templates and folders."""

import ast
import hashlib
import re
import subprocess
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.core.management import call_command
from django.urls import URLPattern, URLResolver, get_resolver

ROOT = Path(settings.BASE_DIR)
APPS = ["portal", "sls", "compliance"]
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
MODULES = sorted(
    path for app in APPS for path in (ROOT / app).rglob("*.py") if "migrations" not in path.parts
)
DATA = {"sls/demo/cast.py"}

each_template = pytest.mark.parametrize(
    "template", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT / "templates"))
)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


# --- Sizes and names ---------------------------------------------------------------------------------

LONG_MODULE, TOO_LONG_MODULE = 300, 400
LONG_FUNCTION, TOO_LONG_FUNCTION = 40, 60


def functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield f"{name_of(path)}:{node.name}", (node.end_lineno or 0) - node.lineno + 1


def judge(sizes: dict[str, int], long: int, too_long: int) -> None:
    """Print what smells (`pytest -rP` shows it) and fail for what stinks."""
    for name, size in sorted(sizes.items(), key=lambda item: -item[1]):
        if size > long:
            print(f"{size:5} {name}")  # noqa: T201
    assert [f"{name}: {size}" for name, size in sizes.items() if size > too_long] == []


def test_no_module_is_too_long():
    sizes = {
        name_of(path): len(path.read_text(encoding="utf-8").splitlines())
        for path in MODULES
        if name_of(path) not in DATA
    }
    judge(sizes, LONG_MODULE, TOO_LONG_MODULE)


def test_no_function_is_too_long():
    sizes = dict(size for path in MODULES for size in functions(path))
    judge(sizes, LONG_FUNCTION, TOO_LONG_FUNCTION)


def test_no_module_is_a_drawer_for_everything():
    drawers = {"utils", "util", "helpers", "helper", "services", "managers", "common", "misc"}
    names = {name_of(path): path.with_suffix("").name for path in MODULES}
    names |= {name_of(path.parent): path.parent.name for path in MODULES}
    assert [path for path, name in names.items() if name in drawers] == []


@pytest.mark.django_db
def test_no_migration_is_missing():
    said = StringIO()
    try:
        call_command("makemigrations", check=True, dry_run=True, stdout=said, stderr=said)
    except SystemExit:
        pytest.fail(said.getvalue())


# --- Files -------------------------------------------------------------------------------------------


def our_files() -> list[Path]:
    """What is tracked, or would be with the next `git add`."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    paths = (ROOT / name for name in listed.stdout.split("\0") if name)
    return [path for path in paths if path.is_file()]


REGISTRIES = ["pypi", "pythonhosted", "npmjs", "registry"]
ADDRESS = re.compile(rf"https?://[^\s\"'<>)]*(?:{'|'.join(REGISTRIES)})", re.IGNORECASE)
INDEX = re.compile(r"--(?:extra-)?index-url|--find-links|--trusted-host")
MACHINE = re.compile(rf"(?<![\w./-])/(?:{'|'.join(['work', 'root', 'opt', 'home', 'Users'])})/\w")


def test_no_file_names_a_registry_or_a_place_on_somebodys_machine():
    found = []
    for path in our_files():
        if path.name == ".gitignore" or path == Path(__file__):
            continue
        text = path.read_bytes().decode("utf-8", errors="ignore")
        found += [
            f"{name_of(path)}: {match[0]}"
            for rule in (ADDRESS, INDEX, MACHINE)
            for match in rule.finditer(text)
        ]
    assert found == []


def test_vendored_files_are_those_of_their_sums():
    folder = ROOT / "static" / "vendor"
    lines = (folder / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    sums = {name: digest for digest, name in (line.split() for line in lines)}
    for name, digest in sums.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest, name
    unsummed = {path.name for path in folder.iterdir()} - set(sums) - {"README.md", "SHA256SUMS"}
    assert unsummed == set()


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_every_requirement_is_pinned_and_hashed(name):
    text = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [
        line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")
    ]
    pinned = re.compile(
        r"[\w.-]+(?:\[[\w,.-]+\])?==[^\s;]+( ;[^#]+?)?(\s+--hash=sha256:[0-9a-f]{64})+\s*"
    )
    assert len(lines) > 20
    assert [line.split()[0] for line in lines if not pinned.fullmatch(line)] == []
    assert "://" not in text


# --- Templates ---------------------------------------------------------------------------------------

TAG = re.compile(r"\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\}", re.DOTALL)
INLINE = re.compile(
    r"<style\b|<script\b(?![^>]*\bsrc=)|<[a-z][^>]*\s(?:style|on[a-z]+)\s*=|javascript:",
    re.IGNORECASE,
)
STATIC = re.compile(r"\{% static ['\"]([^'\"]+)['\"] %\}(?:#([\w-]+))?")
PREFIXED = re.compile(r"\{% get_static_prefix %\}([^\"'?#]+)()")
URL = re.compile(r"\{% url ['\"]([^'\"]+)['\"]")
REVERSED = re.compile(r"\b(?:reverse|reverse_lazy|redirect)\(\s*\"([a-z_:]+)\"")


@each_template
def test_template_keeps_the_content_security_policy(template):
    html = TAG.sub("x", template.read_text(encoding="utf-8"))
    assert INLINE.findall(html) == []


@each_template
def test_static_files_of_the_template_exist(template):
    text = template.read_text(encoding="utf-8")
    for name, fragment in STATIC.findall(text) + PREFIXED.findall(text):
        file = finders.find(name)
        assert file, name
        if fragment:
            assert f'id="{fragment}"' in Path(file).read_text(encoding="utf-8"), (
                f"{name}#{fragment}"
            )


def url_names(resolver: URLResolver, prefix: str = "") -> Iterator[str]:
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLPattern):
            yield f"{prefix}{pattern.name}"
        else:
            namespace = f"{pattern.namespace}:" if pattern.namespace else ""
            yield from url_names(pattern, prefix + namespace)


def test_url_names_of_templates_and_views_exist():
    known = set(url_names(get_resolver()))
    asked = {
        (name_of(path), name)
        for paths, rule in ((TEMPLATES, URL), (MODULES, REVERSED))
        for path in paths
        for name in rule.findall(path.read_text(encoding="utf-8"))
    }
    asked |= {
        (name_of(path), name)
        for path in (ROOT / "templates" / "messages").rglob("*.txt")
        for name in URL.findall(path.read_text(encoding="utf-8"))
    }
    assert len(asked) > 40
    assert sorted((path, name) for path, name in asked if name not in known) == []


# --- Tests -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("app", APPS)
def test_folders_of_tests_are_folders_of_the_source(app):
    folders = [path.parent for path in (ROOT / "tests" / app).rglob("test_*.py")]
    mirrored = {folder.relative_to(ROOT / "tests") for folder in folders}
    assert [str(folder) for folder in mirrored if not (ROOT / folder).is_dir()] == []
