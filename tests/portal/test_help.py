"""The help centre: its articles, the twins in two languages, search, feed and pages."""

import re
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from django.test import Client
from django.urls import reverse

from portal.errors import Reason
from portal.help import articles
from portal.help.articles import Article
from portal.help.views import SUBJECTS
from sls.devices.rules import ProofRefusal
from sls.sharing.rules import RejectionReason, ShareRefusal

ENGLISH, CHINESE = "en", "zh-hans"
LANGUAGES = (ENGLISH, CHINESE)
SLUGS = sorted(path.stem for path in (articles.CONTENT / ENGLISH).glob("*.md"))
NEEDED = [
    "kb2481",
    "share-messages",
    "pending-share",
    "kb2277",
    "kb2278",
    "kb2260",
    "kb2269",
    "welcome",
    "heartbleed",
    "kb1131",
    "kb2895",
    "kb2545",
    "kb1198",
    "kb1861",
    "kb1132",
    "kb1133",
    "kb2748",
    "kb2745",
    "kb2879",
    "kb3234",
    "kb69",
    "kb70",
    "kb975",
    "kb1018",
    "kb1042",
    "kb1873",
    "kb1943",
    "kb2634",
    "kb3432",
    "kb3073",
]
REFUSALS = [
    "less_secure_device",
    "different_identification",
    "temporary_device",
    "invalid_credentials",
    "invalid_response",
    "challenge_expired",
    "no_shareable_device",
    "same_user",
    "already_shared",
    "request_pending",
    "borrowed_device",
    "lent_device",
    "recently_refused",
    "too_many_attempts",
    "identification_missing",
]
ATOM = "{http://www.w3.org/2005/Atom}"


class Outline(HTMLParser):
    """What a twin must share with its original: anchors, headings, links, and how much of everything."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.headings: list[tuple[str, str]] = []
        self.links: list[str] = []
        self.tags: Counter[str] = Counter()
        self.attributes: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.tags[tag] += 1
        self.attributes |= set(found)
        if "id" in found:
            self.ids.append(found["id"])
        if tag in ("h2", "h3"):
            self.headings.append((tag, found["id"]))
        if tag == "a":
            self.links.append(found["href"])


def article(slug: str, language: str) -> Article:
    found = articles.find(slug, language)
    assert found is not None
    assert found.language == language
    return found


def outline(slug: str, language: str) -> Outline:
    return Outline(article(slug, language).html)


def found_slugs(query: str, language: str) -> list[str]:
    return [hit.article.slug for hit in articles.search(query, language)]


each_article = pytest.mark.parametrize("slug", SLUGS)
each_language = pytest.mark.parametrize("language", LANGUAGES)


# --- The texts ---------------------------------------------------------------------------------------


def test_every_needed_article_is_there() -> None:
    assert sorted(NEEDED) == SLUGS


@each_article
def test_article_has_a_chinese_twin_of_the_same_shape(slug: str) -> None:
    english, chinese = outline(slug, ENGLISH), outline(slug, CHINESE)
    assert chinese.headings == english.headings
    assert chinese.ids == english.ids
    assert sorted(chinese.links) == sorted(english.links)
    counted = ("ol", "ul", "li", "table", "tr", "td", "sup", "svg")
    assert {tag: chinese.tags[tag] for tag in counted} == {t: english.tags[t] for t in counted}


@each_article
def test_twins_agree_on_their_facts(slug: str) -> None:
    english, chinese = article(slug, ENGLISH), article(slug, CHINESE)
    assert (english.number, english.subject) == (chinese.number, chinese.subject)
    assert english.slug == (f"kb{english.number}" if english.number else slug)
    assert english.subject in SUBJECTS
    assert re.search("[\u4e00-\u9fff]", chinese.title + chinese.summary)


@each_language
@each_article
def test_article_follows_the_form(slug: str, language: str) -> None:
    headings = [anchor for _, anchor in outline(slug, language).headings]
    assert headings[0] == "overview"
    assert headings[-1] == "references"
    assert len(headings) == len(set(headings))


@each_language
@each_article
def test_article_has_no_markdown_left(slug: str, language: str) -> None:
    text = article(slug, language).text
    for mark in ("**", "](", "[^", "{#", "{:", "[TOC]", "///", "```", "| -", "\u21a9"):
        assert mark not in text


@each_language
@each_article
def test_article_keeps_the_content_security_policy(slug: str, language: str) -> None:
    shape = outline(slug, language)
    assert not {"script", "style", "iframe", "object"} & set(shape.tags)
    assert not [name for name in shape.attributes if name == "style" or name.startswith("on")]


@each_language
@each_article
def test_every_link_resolves(slug: str, language: str) -> None:
    own = outline(slug, language)
    for link in own.links:
        path, _, anchor = link.partition("#")
        if not path:
            assert anchor in [*own.ids, "top"], link
        elif match := re.fullmatch(r"\.\./([a-z0-9-]+)/", path):
            if match[1] != "sls":
                target = outline(match[1], language)
                assert not anchor or anchor in target.ids, link
        else:
            assert link in ("../", "/phone/", "/phone/lost/"), link


@each_language
@each_article
def test_every_number_named_is_a_link(slug: str, language: str) -> None:
    found = article(slug, language)
    for number in re.findall(r"KB(\d+)", found.text):
        assert f'href="../kb{number}/"' in found.html


@each_article
def test_chinese_is_set_with_chinese_punctuation(slug: str) -> None:
    found = article(slug, CHINESE)
    text = f"{found.title} {found.summary} {found.text}".replace("如未收到通知,请点击此处", "")
    assert not re.findall("[\u4e00-\u9fff][,;:?!].?|[,;:?!][\u4e00-\u9fff]", text)


@each_article
def test_wording_is_independent_of_any_broker(slug: str) -> None:
    for language in LANGUAGES:
        found = article(slug, language)
        words = re.sub(r"ibkr\.com/sls", "", f"{found.title} {found.summary} {found.text}")
        if slug in (
            "kb2277",
            "kb2278",
        ):  # a store's own entry has to be named as it stands there
            words = re.sub(r"(?i)IBKR Mobile|移动IBKR|Interactive Brokers (LLC|Group)", "", words)
            words = words.replace("盈透证券集团", "")
        assert not re.search(r"(?i)ibkr|interactive brokers|盈透", words)


@each_language
def test_long_article_has_contents_and_ways_back(language: str) -> None:
    for slug in ("kb2481", "kb2277", "kb2278", "kb2260", "welcome"):
        found = article(slug, language)
        words = articles.WORDS[language]
        parts = re.findall(r'<h2 id="([^"]+)"', found.html)
        assert re.findall(r'<li><a href="#([^"]+)">', found.toc) == parts
        assert found.toc in found.html
        before = found.html.index('<nav class="help-toc"')
        assert found.html.count(words.top) == found.html[before:].count("<h2 ")
        assert found.html.rstrip().endswith("</p>")


# --- What single articles must say -------------------------------------------------------------------


@each_language
def test_sharing_articles_explain_each_refusal_under_its_code(language: str) -> None:
    headings = {
        *(code for tag, code in outline("kb2481", language).headings if tag == "h3"),
        *(code for tag, code in outline("share-messages", language).headings if tag == "h2"),
    }
    both = article("kb2481", language).html + article("share-messages", language).html
    for code in REFUSALS:
        assert code in headings
        assert f"<code>{code}</code>" in both


@each_language
def test_every_refusal_leads_to_an_anchor_that_exists(language: str) -> None:
    reasons: list[Reason] = [*ShareRefusal, *RejectionReason, *ProofRefusal]
    for reason in reasons:
        slug, _, anchor = reason.help_page.partition("#")
        assert not anchor or anchor in outline(slug, language).ids, reason
        article(slug, language)


@each_language
def test_every_article_the_pages_point_to_exists(language: str) -> None:
    pages = Path(__file__).parents[2] / "templates"
    pointed = re.compile(r"""url ['"]help:article['"] ['"]([\w-]+)['"] %\}(?:#([\w-]+))?""")
    for page in pages.rglob("*.html"):
        for slug, anchor in pointed.findall(page.read_text(encoding="utf-8")):
            assert slug in SLUGS, page
            assert not anchor or anchor in outline(slug, language).ids, page


@each_language
def test_sharing_article_has_nine_steps_and_the_table_of_levels(language: str) -> None:
    html = article("kb2481", language).html
    part = html.partition('<h2 id="procedure">')[2].partition("</ol>")[0]
    outer = re.sub(r"<ul>.*?</ul>", "", part, flags=re.DOTALL)
    assert outer.count("<li>") == 9
    assert "5a." in part
    assert "5b." in part
    assert outline("kb2481", language).tags["tr"] == 3
    references = html.partition('<h2 id="references">')[2]
    for number in (1131, 2895, 2481, 2545, 1198, 1861, 1132, 1133):
        assert f">KB{number}</a>" in references


@each_language
def test_general_article_has_twelve_questions_and_two_notes(language: str) -> None:
    shape = outline("kb2260", language)
    questions = [anchor for tag, anchor in shape.headings if anchor.startswith("faq-")]
    assert questions == [f"faq-{number}" for number in range(1, 13)]
    assert [i for i in shape.ids if i.startswith("fn:")] == [
        "fn:institutional",
        "fn:offline",
    ]
    faq = article("kb2260", language).html.partition('<h3 id="faq-7">')[2]
    assert 'href="#fn:institutional"' in faq.partition("<h3")[0]
    assert 'href="#fn:offline"' in faq.partition('<h3 id="faq-10">')[2].partition("<h3")[0]


@pytest.mark.parametrize(
    ("language", "day", "days"),
    [(ENGLISH, "200K USD", "600K USD"), (CHINESE, "20万美元", "60万美元")],
)
def test_general_article_names_the_limits(language: str, day: str, days: str) -> None:
    answer = article("kb2260", language).html.partition('id="faq-6"')[2].partition("<h3")[0]
    assert day in answer
    assert days in answer
    assert "1M" not in answer


@pytest.mark.parametrize(
    ("language", "day", "days"),
    [(ENGLISH, "200,000", "600,000"), (CHINESE, "20万", "60万")],
)
def test_overview_tables_the_same_limits(language: str, day: str, days: str) -> None:
    row = re.search(
        r"<td>IB Key</td>\s*<td>([^<]+)</td>\s*<td>([^<]+)</td>\s*</tr>",
        article("kb1131", language).html,
    )
    assert row is not None
    assert row.groups() == (day, days)


LABELS = {
    (
        "kb2277",
        ENGLISH,
    ): "Register Two-Factor|Add Phone Number|Get Activation Code|Activation Token|Activation Code"
    "|Generate Passcode|Click here if you do not receive the notification|5.0|rooted",
    (
        "kb2277",
        CHINESE,
    ): "注册双因素|添加手机号码|获取激活码|激活码|生成通关码|如未收到通知,请点击此处|5.0|被root",
    (
        "kb2278",
        ENGLISH,
    ): "Register Two-Factor|Add Phone number|Get Activation SMS|Activation Token|GET|INSTALL|Allow"
    "|Click here if you do not receive the notification|11.0|recovery PIN",
    (
        "kb2278",
        CHINESE,
    ): "注册双因素|添加手机号码|获取激活短信|激活码|获取|安装|允许|如未收到通知,请点击此处|11.0|恢复PIN码",
    (
        "kb2481",
        ENGLISH,
    ): "device owner|requesting user|Share Device|Menu|User Settings|Challenge Code|Index Numbers"
    "|I already have access to a Secure Login Device under a different username|Authenticate -> Add user",
    (
        "kb2481",
        CHINESE,
    ): "设备所有者|提出请求的使用者|共享设备|菜单图标|使用者设置|挑战码|索引号|合规部门|待定"
    "|我已有一个使用另一用户名的安全登录设备|设备安全等级低|身份信息不一致|安全代码卡(SLS卡)|数码安全卡+(DSC+)",
    (
        "welcome",
        ENGLISH,
    ): "Fund Transfers|1-4 business days|100k USD|3 days|4000 and 4001|FastTrack|exceptional",
    ("welcome", CHINESE): "1-4个工作日|10万美元|3天|4000和4001|FastTrack|例外取款",
}


@pytest.mark.parametrize(("slug", "language"), LABELS)
def test_labels_are_those_of_the_screens(slug: str, language: str) -> None:
    text = article(slug, language).text
    assert [label for label in LABELS[slug, language].split("|") if label not in text] == []


@pytest.mark.parametrize(("slug", "count"), [("kb2277", 5), ("kb2278", 7)])
@each_language
def test_activation_has_the_steps_of_its_platform(slug: str, count: int, language: str) -> None:
    part = article(slug, language).html.partition('<h2 id="activation">')[2].partition("<h2")[0]
    assert part.count("<li>") == count


@each_language
def test_pin_guidelines_are_five(language: str) -> None:
    part = article("kb2269", language).html.partition('<h2 id="guidelines">')[2].partition("<h2")[0]
    assert part.count("<li>") == 5


@each_language
def test_welcome_has_five_chapters_in_order(language: str) -> None:
    chapters = [anchor for tag, anchor in outline("welcome", language).headings if tag == "h2"]
    assert chapters == [
        "overview",
        "money",
        "configure",
        "trade",
        "world",
        "five",
        "references",
    ]


# --- Finding and searching ---------------------------------------------------------------------------


@each_language
@pytest.mark.parametrize("query", ["2481", "KB2481", "kb 2481", "２４８１"])
def test_search_finds_by_number(query: str, language: str) -> None:
    assert found_slugs(query, language)[0] == "kb2481"


@pytest.mark.parametrize(
    ("query", "language", "slug"),
    [
        ("how to share a security device", ENGLISH, "kb2481"),
        ("sharing devices", ENGLISH, "kb2481"),
        ("HEARTBLEED", ENGLISH, "heartbleed"),
        ("less_secure_device", ENGLISH, "kb2481"),
        ("dsc+ pin change", ENGLISH, "kb1018"),
        ("如何共享安全设备", CHINESE, "kb2481"),
        ("heartbleed 漏洞", CHINESE, "heartbleed"),
        ("更改PIN码", CHINESE, "kb1018"),
        ("临时码有效期", CHINESE, "kb69"),
    ],
)
def test_search_puts_the_titled_article_first(query: str, language: str, slug: str) -> None:
    assert found_slugs(query, language)[0] == slug


@pytest.mark.parametrize(
    ("query", "language", "slugs"),
    [
        ("trunk prefix", ENGLISH, {"kb2277", "kb2278"}),
        ("padded envelope", ENGLISH, {"kb975"}),
        ("国家前缀", CHINESE, {"kb2277", "kb2278"}),
        ("有衬垫的信封", CHINESE, {"kb975"}),
    ],
)
def test_search_finds_in_the_text_and_shows_where(
    query: str, language: str, slugs: set[str]
) -> None:
    hits = articles.search(query, language)
    assert {hit.article.slug for hit in hits} == slugs
    for hit in hits:
        assert hit.match
        assert hit.excerpt.strip("… ") in hit.article.text


@each_language
@pytest.mark.parametrize(
    "query",
    [
        "",
        "   ",
        "(",
        "[a-",
        "\\",
        "*",
        "?+",
        "%' OR 1=1 --",
        "<script>",
        "\x00",
        "🙂",
        "\ud800",
        "{{ 7 }}",
        "(" * 9999,
    ],
)
def test_search_survives_metacharacters(query: str, language: str) -> None:
    assert isinstance(articles.search(query, language), list)
    assert len(articles.search(query + " 2481", language)) <= len(SLUGS)


def test_search_of_what_we_do_not_have_is_empty() -> None:
    assert articles.search("xylophone zzzz", ENGLISH) == []
    assert articles.search("电冰箱", CHINESE) == []
    assert articles.search("...", ENGLISH) == []


@pytest.mark.parametrize(
    "slug", ["", "..", "../settings", "kb", "kb99999", "kb2481.md", "\x00", "a" * 5000]
)
def test_find_knows_nothing_of_other_slugs(slug: str) -> None:
    assert articles.find(slug, ENGLISH) is None
    assert articles.find(slug, CHINESE) is None


@pytest.mark.parametrize("language", [None, "", "de", "EN", "xx-yy", "../en"])
def test_unknown_language_reads_english(language: str | None) -> None:
    found = articles.find("kb2481", language)
    assert found is not None
    assert found.language == ENGLISH
    assert not found.is_fallback


@pytest.fixture
def half_translated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    text = "---\ntitle: Only here\nnumber: 7\nsubject: start\nupdated: 2026-11-23\nsummary: s\n---\n## Overview {#overview}\n\nBody.\n"
    for language in LANGUAGES:
        (tmp_path / language).mkdir()
    (tmp_path / ENGLISH / "kb7.md").write_text(text)
    monkeypatch.setattr(articles, "CONTENT", tmp_path)
    articles._shelf.cache_clear()
    yield
    articles._shelf.cache_clear()


@pytest.mark.usefixtures("half_translated")
def test_missing_translation_falls_back_to_english_and_says_so(client: Client) -> None:
    found = articles.find("kb7", CHINESE)
    assert found is not None
    assert (found.language, found.is_fallback) == (ENGLISH, True)
    assert [a.is_fallback for a in articles.index(CHINESE)] == [True]
    assert [a.is_fallback for a in articles.index(ENGLISH)] == [False]
    page = client.get(reverse("help:article", args=["kb7"]), headers={"accept-language": CHINESE})
    assert 'role="note"' in page.content.decode()
    page = client.get(reverse("help:article", args=["kb7"]), headers={"accept-language": ENGLISH})
    assert 'role="note"' not in page.content.decode()


# --- The pages ---------------------------------------------------------------------------------------


@each_language
def test_index_groups_every_article_by_subject(client: Client, language: str) -> None:
    page = client.get(reverse("help:index"), headers={"accept-language": language})
    assert page.status_code == 200
    shown = [a.slug for group in page.context["groups"] for a in group["articles"]]
    assert sorted(shown) == SLUGS
    assert [group["slug"] for group in page.context["groups"]] == list(SUBJECTS)
    assert all(group["articles"] for group in page.context["groups"])
    assert article("kb2481", language).title in page.content.decode()


@each_language
def test_index_searches(client: Client, language: str) -> None:
    page = client.get(reverse("help:index"), {"q": "2481"}, headers={"accept-language": language})
    assert page.context["hits"][0].article.slug == "kb2481"


@pytest.mark.parametrize(
    "query",
    ["<script>alert(1)</script>", '"><img src=x>', "{{ 7 }}", "%00", "(" * 3000],
)
def test_index_shows_a_query_as_text(client: Client, query: str) -> None:
    page = client.get(reverse("help:index"), {"q": query})
    assert page.status_code == 200
    assert "<script>alert" not in page.content.decode()
    assert "<img src=x" not in page.content.decode()


@each_language
@each_article
def test_article_page_answers_without_login(client: Client, slug: str, language: str) -> None:
    page = client.get(reverse("help:article", args=[slug]), headers={"accept-language": language})
    assert page.status_code == 200
    body = page.content.decode()
    assert article(slug, language).html in body
    ids = Outline(body).ids
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("slug", ["kb99999", "nothing", "kb"])
def test_unknown_article_is_not_found(client: Client, slug: str) -> None:
    assert client.get(reverse("help:article", args=[slug])).status_code == 404


def test_pages_only_answer_to_reading(client: Client) -> None:
    assert client.post(reverse("help:index")).status_code == 405
    assert client.post(reverse("help:article", args=["kb2481"])).status_code == 405
    assert client.head(reverse("help:article", args=["kb2481"])).status_code == 200


def test_short_address_leads_to_the_overview(client: Client) -> None:
    page = client.get(reverse("help:sls"))
    assert (page.status_code, page["Location"]) == (
        302,
        reverse("help:article", args=["kb1131"]),
    )


@each_language
def test_feed_lists_every_article(client: Client, language: str) -> None:
    page = client.get(reverse("help:feed"), headers={"accept-language": language})
    assert page["Content-Type"].startswith("application/atom+xml")
    feed = ElementTree.fromstring(page.content)
    entries = feed.findall(f"{ATOM}entry")
    links = [entry.find(f"{ATOM}link").attrib["href"] for entry in entries]  # type: ignore[union-attr]
    assert sorted(link.rstrip("/").rsplit("/")[-1] for link in links) == SLUGS
    assert all(entry.findtext(f"{ATOM}updated") for entry in entries)
    titles = [entry.findtext(f"{ATOM}title") for entry in entries]
    assert f"KB2481 {article('kb2481', language).title}" in titles
