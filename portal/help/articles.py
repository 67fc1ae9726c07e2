"""
The help centre's articles: Markdown files with a few lines of front matter, one file per language.

A file is `content/<language>/<slug>.md`. In its text "KB2260" becomes a link by itself, a line `[TOC]`
asks for a table of contents, and with it each later part ends in a link back to the top.
"""

import datetime
import html
import math
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import MappingProxyType
from xml.etree.ElementTree import Element

from django.utils.html import strip_tags
from markdown import Markdown
from markdown.extensions import Extension
from markdown.inlinepatterns import InlineProcessor

CONTENT = Path(__file__).parent / "content"
FALLBACK = "en"


@dataclass(frozen=True)
class Article:
    number: str
    slug: str
    title: str
    language: str
    subject: str
    tags: tuple[str, ...]
    summary: str
    updated: datetime.date
    order: int
    html: str
    toc: str
    text: str
    is_fallback: bool = False

    @property
    def code(self) -> str:
        return f"KB{self.number}" if self.number else ""


@dataclass(frozen=True)
class Words:
    """The few words the loader itself adds, in the language of the article rather than of the page."""

    contents: str
    top: str
    back_to_note: str


WORDS = {
    "en": Words("Table of contents", "Back to top", "Back to note {} in the text"),
    "zh-hans": Words("目录", "回到顶部", "回到正文中的注{}"),
}
Shelf = Mapping[str, Article]


def find(slug: str, language: str | None) -> Article | None:
    """The article in this language; failing that the English one, marked `is_fallback`."""
    return _shelf(_known(language)).get(slug.lower())


def index(language: str | None) -> list[Article]:
    """Every article once, newest first, and within a day by `order`, which is the number unless given."""
    shelf = _shelf(_known(language))
    return sorted(shelf.values(), key=lambda a: (-a.updated.toordinal(), a.order, a.slug))


def _known(language: str | None) -> str:
    wanted = (language or "").lower()
    return "zh-hans" if wanted.startswith("zh") else FALLBACK


@cache
def _shelf(language: str) -> Shelf:
    english = {path.stem: path for path in (CONTENT / FALLBACK).glob("*.md")}
    if language == FALLBACK:
        return MappingProxyType({slug: read(path, language) for slug, path in english.items()})
    own = {path.stem: read(path, language) for path in (CONTENT / language).glob("*.md")}
    rest = {slug: replace(article, is_fallback=True) for slug, article in _shelf(FALLBACK).items()}
    return MappingProxyType(rest | own)


# --- From a file to an article -----------------------------------------------------------------------


class _Reference(InlineProcessor):
    """ "KB2260" → a link to that article, wherever the help centre is mounted."""

    ANCESTOR_EXCLUDES = ("a", "h1", "h2", "h3", "code")

    def handleMatch(  # type: ignore[override]
        self, m: re.Match[str], data: str
    ) -> tuple[Element, int, int]:
        link = Element("a", {"href": f"../kb{m.group(1)}/"})
        link.text = m.group(0)
        return link, m.start(0), m.end(0)


class _References(Extension):
    def extendMarkdown(self, md: Markdown) -> None:
        md.inlinePatterns.register(
            _Reference(r"(?<![0-9A-Za-z/])KB(\d{1,5})(?!\d)", md), "reference", 75
        )


def read(path: Path, language: str) -> Article:
    """Parse one file. Raises ValueError or KeyError for a malformed one, so a bad article fails the tests."""
    _, head, body = path.read_text(encoding="utf-8").split("---\n", 2)
    facts = {
        name.strip(): value.strip()
        for name, value in (line.split(":", 1) for line in head.splitlines() if line)
    }
    words = WORDS[language]
    markdown = Markdown(
        extensions=[
            "toc",
            "footnotes",
            "tables",
            "attr_list",
            "sane_lists",
            _References(),
        ],
        extension_configs={
            "toc": {"toc_depth": "2-2", "marker": ""},
            "footnotes": {"BACKLINK_TITLE": words.back_to_note},
            "tables": {"use_align_attribute": True},  # never an inline style: the page's CSP
        },
    )
    content = markdown.convert(body)
    parts: list[dict[str, str]] = markdown.toc_tokens  # type: ignore[attr-defined]
    toc = _table_of_contents(parts, words)
    return Article(
        number=facts["number"],
        slug=path.stem,
        title=facts["title"],
        language=language,
        subject=facts["subject"],
        tags=tuple(tag.strip() for tag in facts.get("tags", "").split(",") if tag.strip()),
        summary=facts["summary"],
        updated=datetime.date.fromisoformat(facts["updated"]),
        order=int(facts.get("order") or facts["number"] or 0),
        html=_with_contents(content, toc, words),
        toc=toc,
        text=_plain(content),
    )


def _table_of_contents(parts: Iterable[dict[str, str]], words: Words) -> str:
    items = "".join(f'<li><a href="#{part["id"]}">{part["name"]}</a></li>' for part in parts)
    title = f'<p class="help-toc-title" id="contents">{words.contents}</p>'
    return f'<nav class="help-toc" aria-labelledby="contents">{title}<ul>{items}</ul></nav>'


def _with_contents(content: str, toc: str, words: Words) -> str:
    before, marker, after = content.partition("<p>[TOC]</p>")
    if not marker:
        return content
    back = f'<p class="help-top"><a href="#top">{words.top}</a></p>\n'
    lead, *parts = re.split(r"(?=<h2 )", after)
    return before + toc + lead + "".join(part + back for part in parts)


def _plain(content: str) -> str:
    without_marks = re.sub(
        r'<sup id="fnref.*?</sup>|<a class="footnote-backref".*?</a>', "", content
    )
    spaced = re.sub(r"</(?:h\d|p|li|t[dh])>", " ", without_marks.replace("<p>[TOC]</p>", ""))
    return " ".join(html.unescape(strip_tags(spaced)).split())


# --- Search ------------------------------------------------------------------------------------------

LONGEST_QUERY = 200
MOST_TERMS = 24
EXCERPT_BEFORE, EXCERPT_AFTER = 60, 120
IN_TITLE, IN_TAGS, IN_SUMMARY, IN_TEXT = 8, 6, 4, 1
HAN = "\u3400-\u9fff"


@dataclass(frozen=True)
class Hit:
    """One result; the excerpt comes in three parts, so that a page can mark the middle one."""

    article: Article
    lead: str
    match: str
    tail: str

    @property
    def excerpt(self) -> str:
        return self.lead + self.match + self.tail


def search(query: str, language: str | None) -> list[Hit]:
    """Articles for these words, best first; an empty list for a query without words."""
    terms = _terms(query)
    articles = index(language)
    found = {term: {a.slug: n for a in articles if (n := _weight(term, a))} for term in terms}
    # A rare term says more than a common one; one that occurs nowhere says that we lack the subject.
    worth = {term: math.log(1 + len(articles) / (len(found[term]) or 1)) for term in terms}
    enough = 0.6 * sum(worth.values())
    numbers = set(re.findall(r"\d+", unicodedata.normalize("NFKC", query)))
    ranked: list[tuple[float, Article]] = []
    for article in articles:
        matched = [term for term in terms if article.slug in found[term]]
        score = sum(worth[term] * found[term][article.slug] for term in matched)
        if article.number and article.number in numbers:
            ranked.append((1000 + score, article))
        elif matched and sum(worth[term] for term in matched) >= enough:
            ranked.append((score, article))
    ranked.sort(key=lambda pair: -pair[0])
    return [_hit(article, terms) for _, article in ranked]


def _terms(query: str) -> list[str]:
    """
    Words, shortened so that "sharing" finds "share"; Chinese, which has no spaces, as pairs of
    characters. Whatever is neither letter nor digit only separates, so no character is special.
    """
    text = unicodedata.normalize("NFKC", query[:LONGEST_QUERY]).casefold()
    terms: list[str] = []
    for run in re.findall(rf"[{HAN}]+|[^\W_{HAN}]+", text):
        if re.match(rf"[{HAN}]", run):
            terms += [run[i : i + 2] for i in range(max(1, len(run) - 1))]
        else:
            terms.append(re.sub(r"(ing|ed|es|e|s)$", "", run) if len(run) > 4 else run)
    return list(dict.fromkeys(terms))[:MOST_TERMS]


def _pattern(term: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![0-9a-z]){re.escape(term)}", re.IGNORECASE | re.ASCII)


def _weight(term: str, article: Article) -> int:
    pattern = _pattern(term)
    fields = (
        (IN_TITLE, f"{article.title} {article.code}"),
        (IN_TAGS, " ".join(article.tags)),
        (IN_SUMMARY, article.summary),
    )
    named = sum(weight for weight, text in fields if pattern.search(text))
    return named + IN_TEXT * min(5, len(pattern.findall(article.text)))


def _hit(article: Article, terms: list[str]) -> Hit:
    text = article.text
    matches = (match for term in terms if (match := _pattern(term).search(text)))
    first = min(matches, key=lambda match: match.start(), default=None)
    if first is None:
        return Hit(article, article.summary, "", "")
    start = max(0, first.start() - EXCERPT_BEFORE)
    end = min(len(text), first.end() + EXCERPT_AFTER)
    lead = ("… " if start else "") + text[start : first.start()]
    tail = text[first.end() : end] + (" …" if end < len(text) else "")
    return Hit(article, lead, first.group(), tail)
