"""The phone app's shell: the same for everybody, whole, and light."""

import gzip
import json
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.test import Client

from sls.phone_app import queries

STATIC = Path(settings.BASE_DIR) / "static"
SHELL_BYTES = 60_000


def test_the_shell_is_the_same_for_everybody_and_sets_no_cookie(db, log_in, on_stage):
    nobody = Client().get("/phone/en/")
    somebody = log_in("owner").get("/phone/en/")
    assert nobody.content == somebody.content
    assert nobody.cookies == {}


@pytest.mark.parametrize(
    ("language", "title"), [("en", "Register Two-Factor"), ("zh-hans", "注册双因素")]
)
def test_each_language_has_a_page_of_its_own(client: Client, language: str, title: str):
    page = client.get(f"/phone/{language}/", headers={"Accept-Language": "fr"})
    assert page.headers["Content-Language"] == language
    assert f'<html lang="{language}"' in page.text
    assert title in page.text


def test_the_address_without_a_language_answers_in_the_visitors(client: Client):
    page = client.get("/phone/", headers={"Accept-Language": "zh-CN"})
    assert '<html lang="zh-hans"' in page.text


def test_the_service_worker_keeps_both_pages_and_every_module(client: Client):
    script = client.get("/phone/sw.js")
    assert script.headers["Content-Type"].startswith("text/javascript")
    shell = json.loads(re.search(r"self\.SHELL = (\{.*\});", script.text)[1])
    assert set(shell["pages"].values()) == {"/phone/en/", "/phone/zh-hans/"}
    kept = {path.removeprefix(settings.STATIC_URL) for path in shell["files"]}
    modules = {f"phone/{path.name}" for path in (STATIC / "phone").glob("*.js")}
    assert modules - {"phone/worker.js"} <= kept
    assert all(finders.find(name) for name in kept)
    assert shell["words"]["zh-hans"]["title"] == "登录请求"
    assert all(not path.startswith("/phone/api/") for path in shell["files"])


def test_every_module_that_is_imported_is_kept():
    names = set(queries.file_names())
    for name in names | {queries.WORKER}:
        if name.endswith(".js"):
            text = (STATIC / name).read_text(encoding="utf-8")
            for path in re.findall(r'(?:from |import |import\()"(\.[^"]+)"', text):
                target = (STATIC / name).parent / path
                assert target.resolve().relative_to(STATIC).as_posix() in names, (name, path)


def test_modules_import_one_another_in_no_circle():
    """Hashed names need it: a file's name depends on the names in it."""
    imports = {}
    for path in (STATIC / "phone").glob("*.js"):
        found = re.findall(
            r'(?:from |import |import\()"\./([^"]+)"', path.read_text(encoding="utf-8")
        )
        imports[path.name] = set(found)
    while free := [name for name, asked in imports.items() if not asked & set(imports)]:
        for name in free:
            del imports[name]
    assert imports == {}


def test_every_word_and_screen_that_a_script_asks_for_is_there():
    page = queries.page("en")
    scripts = "".join(path.read_text(encoding="utf-8") for path in (STATIC / "phone").glob("*.js"))
    screens = set(re.findall(r'\bshow\(\s*"([\w-]+)"', scripts))
    assert screens == set(re.findall(r'data-screen="([\w-]+)"', page)) - {
        "frozen",
        "retired",
        "unknown",
    }
    for word in re.findall(r'\bsay\("([\w-]+)"', scripts):
        assert f'data-word="{word}"' in page, word
    for name in re.findall(r'\blocal\("([\w-]+)"', scripts):
        assert f'data-word="{name}_title"' in page, name


def test_the_manifest_can_be_installed(client: Client):
    manifest = client.get("/phone/manifest.webmanifest")
    assert manifest.headers["Content-Type"] == "application/manifest+json"
    described = manifest.json()
    assert described["scope"] == described["start_url"] == "/phone/"
    sizes = {icon["sizes"] for icon in described["icons"]}
    assert {"192x192", "512x512", "any"} <= sizes
    assert any(icon.get("purpose") == "maskable" for icon in described["icons"])
    for icon in described["icons"]:
        assert finders.find(icon["src"].removeprefix(settings.STATIC_URL))


def test_the_whole_app_weighs_little():
    """Compressed, in one language; the browser test weighs what really goes over the wire."""
    files = [(STATIC / name).read_bytes() for name in queries.file_names()]
    files.append(queries.page("zh-hans").encode())
    weight = sum(len(gzip.compress(data)) for data in files)
    assert weight < SHELL_BYTES, weight
