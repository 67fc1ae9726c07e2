"""Everything is said in Chinese too: the catalogue is complete, sound and compiled, and the pages use it."""

import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po
from django.conf import settings
from django.template.loader import render_to_string
from django.test import Client
from django.urls import get_resolver
from django.utils import translation

from compliance.events import CASE_HANDED_OVER
from compliance.review import pages
from portal.errors import Reason
from portal.models import OutboxMessage
from portal.models.ledger import AttemptOutcome
from portal.outbox import rendering
from sls.caller_check.rules import CallerRefusal
from sls.demo import cast
from sls.mobile.rules import NumberRefusal
from sls.models import SecurityDevice, ShareRequest
from sls.sharing.rules import RejectionReason
from tests.conftest import PLAYS, LogIn, password, press, question_on

from .catalogue import PO

ROOT = Path(settings.BASE_DIR)
CHINESE = "zh-hans"
HAN = r"[\u4e00-\u9fff]"
HALF_WIDTH = re.compile(rf"{HAN}[,.:;?!]|[,.:;?!]{HAN}")
FIXED_FORMS = ["如未收到通知,请点击此处"]
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%[sd]|\{\w+\}")


def catalogue_of(po: Path) -> Catalog:
    with po.open("rb") as file:
        return read_po(file, locale="zh_Hans")


def entries(catalogue: Catalog) -> dict[tuple[str, ...], Message]:
    """The messages by context, singular and plural."""
    found = {}
    for message in catalogue:
        if message.id:
            ids = message.id if isinstance(message.id, (list, tuple)) else (message.id,)
            context = message.context or ""  # Babel leaves it in bytes when it reads a compiled one
            found[context.decode() if isinstance(context, bytes) else context, *ids] = message
    return found


def forms(message: Message) -> list[str]:
    return list(message.string) if isinstance(message.string, (list, tuple)) else [message.string]


OURS = entries(catalogue_of(ROOT / PO))


# --- The catalogue -----------------------------------------------------------------------------------


def test_every_entry_is_translated_and_none_is_a_guess():
    assert len(OURS) > 400
    assert [key for key, entry in OURS.items() if entry.fuzzy or not all(forms(entry))] == []


def test_chinese_has_one_plural_form():
    assert catalogue_of(ROOT / PO).num_plurals == 1
    assert [key for key, entry in OURS.items() if len(forms(entry)) != 1] == []


def test_placeholders_are_those_of_the_original():
    def wrong(key: tuple[str, ...], entry: Message) -> bool:
        original = set(PLACEHOLDER.findall(key[-1]))
        return any(set(PLACEHOLDER.findall(form)) != original for form in forms(entry))

    assert [key for key, entry in OURS.items() if wrong(key, entry)] == []


def test_outer_blanks_and_breaks_are_those_of_the_original():
    def edges(text: str) -> tuple[bool, bool]:
        return text[:1].isspace(), text[-1:].isspace()

    wrong = [
        key
        for key, entry in OURS.items()
        if any(edges(form) != edges(key[-1]) for form in forms(entry))
    ]
    assert wrong == []


def test_chinese_is_set_with_full_width_punctuation():
    def without_fixed_forms(text: str) -> str:
        for fixed in FIXED_FORMS:
            text = text.replace(fixed, "")
        return text

    texts = [without_fixed_forms(form) for entry in OURS.values() for form in forms(entry)]
    assert [text for text in texts if HALF_WIDTH.search(text)] == []


def test_a_quoted_label_is_quoted_as_the_label_is_translated():
    labels = {
        key[1]: forms(entry)[0] for key, entry in OURS.items() if len(key) == 2 and not key[0]
    }
    quotes = re.compile(r'“([^”]+)”|(?<![=>])"([^"<>]+)"')
    pairs = [
        (labels[quoted], form)
        for key, entry in OURS.items()
        for quoted in map("".join, quotes.findall(key[-1]))
        if quoted in labels
        for form in forms(entry)
    ]
    assert len(pairs) > 3
    assert [(label, form) for label, form in pairs if label not in form] == []


def test_one_english_word_for_two_things_is_two_words_in_chinese():
    with translation.override(CHINESE):
        assert str(pages.EVENT_LABELS[CASE_HANDED_OVER]) != AttemptOutcome.HANDED_OVER.label
        assert CallerRefusal.CHECK_OVER.title != NumberRefusal.CHECK_OVER.title


def test_the_compiled_catalogue_is_that_of_the_source():
    with (ROOT / PO).with_suffix(".mo").open("rb") as file:
        compiled = entries(read_mo(file))

    def said(catalogue: dict[tuple[str, ...], Message]) -> dict[tuple[str, ...], list[str]]:
        return {key: forms(entry) for key, entry in catalogue.items()}

    assert said(compiled) == said(OURS), "run `make messages`"


def test_the_header_tells_nothing_of_who_wrote_it_and_where():
    header = catalogue_of(ROOT / PO).mime_headers
    assert not {"Last-Translator", "Language-Team", "POT-Creation-Date"} & {
        line.partition(":")[0].strip('"')
        for line in (ROOT / PO).read_text(encoding="utf-8").partition("\n\n")[0].splitlines()
    }
    assert dict(header)["Content-Type"] == "text/plain; charset=utf-8"


def test_the_catalogue_is_that_of_the_sources(tmp_path, in_ci):
    """Gathers the words anew in a copy; nothing new may come, and nothing may be left that nobody says."""
    if shutil.which("xgettext") is None:
        if in_ci:
            pytest.fail("CI needs the gettext tools")
        pytest.skip("the gettext tools are not installed")
    for name in ("compliance", "portal", "sls", "templates"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("*.pyc"))
    (tmp_path / "tests" / "house").mkdir(parents=True)
    for name in ("__init__.py", "house/__init__.py", "house/catalogue.py"):
        shutil.copy(ROOT / "tests" / name, tmp_path / "tests" / name)
    (tmp_path / "locale").mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "tests.house.catalogue"],
        cwd=tmp_path,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "portal.settings", "PYTHONPATH": ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    gathered = set(entries(catalogue_of(tmp_path / PO)))
    assert sorted(gathered - set(OURS)) == [], "run `make messages` and translate"
    assert sorted(set(OURS) - gathered) == [], "run `make messages`: nobody says this any more"


# --- The pages ---------------------------------------------------------------------------------------

HOME = "/settings/user/secure-login/"
NAMES = {word.lower() for entity in cast.ENTITIES for word in entity.name.split()}
ALLOWED = NAMES | {
    *(
        "ib",
        "key",
        "ibkr",
        "dsc",
        "sls",
        "pin",
        "android",
        "ios",
        "javascript",
        "https",
        "localhost",
    ),
    *("press", "csv", "utf", "mb", "english", "client", "portal", "cookie", "django"),
}
CAST = {word for user in cast.USERS for word in (user.username, user.plays, user.entity)}
DJANGO_HAS_NO_CHINESE_FOR = [
    *("Model name", "Add link", "Change or view list link"),
    *("Search", "True", "False"),  # the "alt" of icons
]
CODES = [
    r"https?://\S+",
    r"[\w.-]+@[\w.-]+|\w?•••@[\w.]+",
    r"(?:DSC|SCC|TMP|IBK)-\d+",
    r"KB\d+",
    r"\{\w+\}",
    r"(?<![A-Za-z])[a-z]+(?:[_,][a-z]+)+(?![A-Za-z])",
    r"(?<![A-Za-z])[A-Z0-9]{2,3}(?![A-Za-z])",
    *(
        rf"(?<![A-Za-z.]){re.escape(word)}(?![a-z.])"
        for word in sorted(CAST, key=len, reverse=True)
    ),
]
WORD = re.compile(r"[A-Za-z][A-Za-z'’-]+")
SENTENCE = re.compile(r"[A-Za-z'’-]+(?:[ ,;:]+[A-Za-z'’-]+){3,}")
SPOKEN = ("aria-label", "title", "alt", "placeholder", "data-left", "data-over")


class Visible(HTMLParser):
    """What a page says to eyes and screen readers, codes and passages in another language left out."""

    SILENT = ("script", "style", "code", "pre", "svg", "template")
    VOID = ("meta", "link", "input", "br", "hr", "img", "use", "path", "rect", "circle", "col")

    def __init__(self, html: str) -> None:
        super().__init__()
        self.said: list[str] = []
        self.silent: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        if not self.silent:
            self.said += [told[name] or "" for name in SPOKEN if name in told]
            self.said += [value or "" for name, value in attrs if name.startswith("data-say")]
            if tag == "input" and told.get("type") in ("submit", "button"):
                self.said.append(told.get("value") or "")
        if tag in self.VOID:
            return
        if self.silent or tag in self.SILENT or (told.get("lang") or "").startswith("en"):
            self.silent.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.silent and tag in self.silent:
            while self.silent.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if not self.silent and data.strip():
            self.said.append(" ".join(data.split()))


def english_in(said: list[str]) -> list[str]:
    """The texts with a Latin word that is no name, product or code."""
    found = []
    for text in said:
        rest = "" if text in DJANGO_HAS_NO_CHINESE_FOR else text
        for code in CODES:
            rest = re.sub(code, " ", rest)
        if {word.lower().strip("'’-") for word in WORD.findall(rest)} - ALLOWED:
            found.append(text)
    return found


class ChineseReader:
    """A browser set to Chinese that reads every page it gets."""

    def __init__(self, client: Client | None = None) -> None:
        self.client = client or Client()
        self.client.defaults["HTTP_ACCEPT_LANGUAGE"] = "zh-CN,zh;q=0.9"
        self.client.cookies[settings.LANGUAGE_COOKIE_NAME] = CHINESE
        self.english: list[str] = []
        self.where = ""
        self.html = ""

    def get(self, address: str, status: int = 200) -> str:
        return self._read("GET", address, self.client.get(address, follow=True), status)

    def post(self, address: str, data: dict[str, str] | None = None, status: int = 200) -> str:
        return self._read("POST", address, self.client.post(address, data, follow=True), status)

    def _read(self, method: str, address: str, page, status: int) -> str:
        assert page.status_code == status, (method, address, page.status_code)
        self.where = page.redirect_chain[-1][0] if page.redirect_chain else address
        self.html = page.content.decode()
        assert f'lang="{CHINESE}"' in self.html, address
        for text in self._foreign(address):
            self.english.append(f"{method} {address}: {text}")
        return self.html

    def _foreign(self, address: str) -> list[str]:
        """Articles are full of products' names, so only whole sentences count there."""
        said = Visible(self.html).said
        if address.startswith("/help/"):
            return [text for text in said if SENTENCE.search(text)]
        return english_in(said)

    def answer(self, holder: str) -> str:
        """Answer the question on the page with somebody's device."""
        return self.post(self.where, {"response": press(holder, question_on(self.html))})

    def share_from(self, plays: str) -> str:
        credentials = {"username": PLAYS[plays].username, "password": password(plays)}
        return self.post(HOME + "share/", credentials)


UNSAID = re.compile(
    r"\{% comment %\}.*?\{% endcomment %\}"
    r"|\{% blocktranslate.*?\{% endblocktranslate %\}"
    r"|\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\}",
    re.DOTALL,
)


@pytest.mark.parametrize(
    "template", sorted((ROOT / "templates").rglob("*.*")), ids=lambda path: path.name
)
def test_every_word_of_a_template_can_be_translated(template):
    source = UNSAID.sub(" ", template.read_text(encoding="utf-8"))
    assert english_in(Visible(source).said) == []


def test_a_browser_in_chinese_gets_chinese(db):
    client = Client(headers={"accept-language": "zh-CN"})
    html = client.get("/login/").content.decode()
    assert f'<html lang="{CHINESE}"' in html
    assert "登录" in html


def read_what_anybody_may_see(reader: ChineseReader) -> None:
    reader.get("/login/")
    reader.post("/login/", {"username": "", "password": ""})
    reader.post("/login/", {"username": "nobody.known", "password": "wrong"})
    reader.get("/demo/")
    reader.get("/nowhere/", 404)
    reader.get("/help/?q=xyzzy")
    reader.get(f"{HOME}share/undo/no-such-token/", 409)


def read_a_login(reader: ChineseReader) -> None:
    entered = {"username": PLAYS["requester"].username, "password": password("requester")}
    reader.post("/login/", entered)
    page = reader.where
    reader.post(page, {"response": ""})
    reader.post(page, {"response": "AAA BBB"})
    reader.post(page, {"response": "ZZZZZZ"})
    reader.get("/login/choose/")
    reader.post("/login/choose/", {"grant": ""})


def read_what_a_newcomer_sees(reader: ChineseReader) -> None:
    for address in ("/", "/settings/", "/settings/account/", "/settings/user/", HOME):
        reader.get(address)
    reader.post(HOME + "enrol/", {"choice": ""})
    reader.get(HOME + "enrol/phone/")
    reader.get(HOME + "enrol/card/")


def read_the_record(reader: ChineseReader) -> None:
    for page in ("history/", "sessions/", "password/"):
        reader.get("/settings/user/" + page)
    mistaken = {"old": "wrong", "new": "short", "again": "other"}
    reader.post("/settings/user/password/", mistaken)
    mistaken |= {"new": "longer-Words-2026", "again": "longer-Words-2026"}
    reader.post("/settings/user/password/", mistaken)
    reader.get("/settings/user/history/")


def read_the_wizard(reader: ChineseReader) -> None:
    for address in ("/", "/settings/account/", "/settings/user/", HOME, HOME + "share/"):
        reader.get(address)
    reader.post(HOME + "share/", {"username": "", "password": ""})
    reader.post(HOME + "share/", {"username": "nobody.known", "password": "wrong"})
    reader.share_from("requester")
    reader.share_from("stranger")
    reader.post(reader.where, {"response": "00000000"})
    reader.answer("stranger")
    reader.share_from("owner")
    reader.get(reader.where.replace("/respond/", "/status/"))
    reader.get(reader.where.replace("/status/", "/respond/"))
    reader.answer("owner")
    reader.post(reader.where)
    assert 'data-status="enforced"' in reader.html
    status = reader.where
    reader.get(HOME)
    reader.answer("owner")
    assert reader.where == HOME
    reader.get(status.replace("/status/", "/cancel/"))
    reader.post(status.replace("/status/", "/cancel/"))


def read_what_waits_for_compliance(reader: ChineseReader) -> None:
    reader.share_from("other_entity")
    reader.answer("other_entity")
    reader.post(reader.where)
    assert 'data-status="pending"' in reader.html
    status = reader.where
    reader.get(HOME)
    reader.get("/")
    reader.get(status.replace("/status/", "/withdraw/"))
    share = ShareRequest.objects.filter(pk=status.split("/")[-3])
    for reason in RejectionReason:
        share.update(state="rejected", decision_reason=reason.code)
        reader.get(status)
    share.update(state="pending", decision_reason="")
    reader.post(status.replace("/status/", "/withdraw/"))


def read_the_temporary_devices(reader: ChineseReader) -> None:
    reader.get("/settings/user/mobile/")
    reader.get("/settings/user/mobile/add/")
    reader.post("/settings/user/mobile/add/", {"country": "GB", "national": "07400 123456"})
    reader.post("/settings/user/mobile/add/", {"country": "GB", "national": "7400123456"})
    reader.post(re.findall(r'action="(/settings/user/mobile/\d+/verify/)"', reader.html)[0])
    reader.post(reader.where, {"response": "000000"})
    reader.get(HOME + "enrol/card/")
    reader.post(HOME + "enrol/card/")
    shown = reader.where
    reader.get(HOME + "enrol/card/")
    reader.post(shown + "check/")
    reader.post(reader.where, {"response": "AAA BBB"})
    reader.post(reader.where, {"response": "IIIIII"})
    reader.get("/settings/user/history/")


def test_no_english_sentence_is_left_about_temporary_devices(log_in: LogIn):
    reader = ChineseReader(log_in("owner"))
    read_the_temporary_devices(reader)
    assert reader.english == []


def test_no_english_sentence_is_left_on_a_chinese_page(log_in: LogIn):
    anybody = ChineseReader()
    read_what_anybody_may_see(anybody)
    read_a_login(anybody)
    newcomer = ChineseReader(log_in("no_device"))
    read_what_a_newcomer_sees(newcomer)
    asker = ChineseReader(log_in("requester"))
    read_the_wizard(asker)
    assert anybody.english + newcomer.english + asker.english == []


def test_no_english_sentence_is_left_where_compliance_looks(log_in: LogIn):
    asker = ChineseReader(log_in("requester"))
    read_what_waits_for_compliance(asker)
    assert asker.english == []


def test_no_english_sentence_is_left_on_the_record(log_in: LogIn):
    reader = ChineseReader(log_in("owner"))
    read_the_record(reader)
    assert reader.english == []


@pytest.mark.parametrize("address", ["/help/", "/help/kb2481/", "/help/kb1131/", "/help/kb3234/"])
def test_no_english_sentence_is_left_in_the_help_centre(address, db):
    reader = ChineseReader()
    reader.get(address)
    assert reader.english == []


def test_no_english_sentence_is_left_in_the_admin(log_in: LogIn):
    reader = ChineseReader(log_in("administrator"))
    devices = "/admin/sls/securitydevice/"
    reader.get("/admin/")
    for model in ("sls/securitydevice", "sls/devicegrant", "sls/sharerequest", "portal/entity"):
        reader.get(f"/admin/{model}/")
    reader.get(devices + "import/")
    reader.post(devices + "import/")
    for kind in ("dsc_plus", "code_card"):
        device = SecurityDevice.objects.filter(kind=kind).values_list("pk", flat=True)[0]
        for page in ("change", "print", "revoke"):
            reader.get(f"{devices}{device}/{page}/", 200)
    assert reader.english == []


def all_refusals() -> list[Reason]:
    get_resolver().url_patterns  # noqa: B018 (loads every view, and with them every rule)
    ours = [f for f in Reason.__subclasses__() if not f.__module__.startswith("tests.")]
    return [refusal for family in ours for refusal in family]


@pytest.mark.parametrize("refusal", all_refusals(), ids=str)
def test_every_refusal_says_what_why_and_what_now_in_chinese(refusal):
    with translation.override(CHINESE):
        html = render_to_string("components/refusal.html", {"refusal": refusal})
        words = [str(refusal.title), str(refusal.sentence), str(refusal.cure)]
    assert english_in(Visible(html).said) == []
    assert all(re.search(HAN, text) for text in words)
    assert not words[0].endswith("。")
    assert words[1].endswith("。")
    assert words[2].endswith("。")


@pytest.mark.parametrize("name", ["400.html", "403_csrf.html", "500.html"])
def test_error_pages_speak_chinese_without_any_context(name):
    with translation.override(CHINESE):
        assert english_in(Visible(render_to_string(name)).said) == []


def test_messages_to_clients_are_in_the_language_of_the_receiver(log_in: LogIn):
    asker = ChineseReader(log_in("requester"))
    read_the_wizard(asker)
    read_what_waits_for_compliance(ChineseReader(log_in("requester")))
    rows = list(OutboxMessage.objects.select_related("user__entity"))
    assert {row.event for row in rows} >= {"share_enforced", "share_pending", "share_cancelled"}
    for row in rows:
        row.language = CHINESE
        told = rendering.render(row)
        lines = [told.subject, *told.text.splitlines()]
        assert english_in(lines) == [], row.event
        assert [
            line for line in lines if HALF_WIDTH.search(re.sub(r"https?://\S+", "", line))
        ] == []
