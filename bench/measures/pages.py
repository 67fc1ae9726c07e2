"""
Bytes of each main page as a browser's first and second view fetch them, compressed.

First: the HTML and everything it names (styles, scripts and what they import, icons, images, the manifest),
each once. Second: the HTML, and whatever may not be kept for at least a day.
"""

import re
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

from bench import people
from bench.browser import OverHttp, Page
from bench.journeys import HOME, log_in, share
from bench.options import Options
from bench.report import Row
from bench.server import serve
from bench.stage import Stage

FIRST, SECOND = 30 * 1024, 6 * 1024
ENCODINGS = "gzip, br"
NAMED_IN_HTML = re.compile(
    r"""<(?:link|use|image)\b[^>]*?\shref=["']([^"']+)|<(?:script|img|iframe|source)\b[^>]*?\ssrc=["']([^"']+)"""
)
NEVER_FETCHED = re.compile(
    r"""<link\b[^>]*\brel=["'](?:alternate|canonical|help|next|prev)["'][^>]*>"""
)
NAMED_IN_CSS = re.compile(r"""url\(\s*["']?([^"')]+)|@import\s+["']([^"']+)""")
NAMED_IN_JS = re.compile(
    r"""(?:\bfrom\s*|\bimport\s*\(?\s*)["']([./][^"']+)|new URL\(["']([^"']+)["'],\s*import\.meta"""
)
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")
MAX_AGE = re.compile(r"max-age=(\d+)")


def run(where: Stage, options: Options) -> list[Row]:
    with serve("portal.asgi:application", where.product, "/health/ready/") as server:
        fetcher = Fetcher(server.port)
        return [fetcher.row(name, page) for name, page in _visited(server.port).items()]


def _visited(port: int) -> dict[str, Page]:
    """Every main page, as its visitor gets it."""
    pair = people.pairs("visitor", 1)[0]
    client, new = _browser(port), _browser(port)
    log_in(client, pair.requester)
    for path in (
        "/settings/account/",
        "/settings/user/",
        HOME,
        "/help/",
        "/help/kb2481/",
        "/demo/",
    ):
        client.get(path)
    share(client, pair)
    log_in(new, people.newcomer("newcomer"))
    enrolment = new.get(HOME)
    pages = {UUID.sub("...", p.path): p for p in client.seen if p.status == 200}
    return pages | {HOME + " (enrolment menu)": enrolment}


def _browser(port: int) -> OverHttp:
    return OverHttp(port, encodings=ENCODINGS)


@dataclass
class Fetcher:
    port: int
    kept: dict[str, Page] = field(default_factory=dict)

    def row(self, name: str, page: Page) -> Row:
        assert page.status == 200, page
        elsewhere, parts = self.parts(page)
        first = page.wire_bytes + sum(part.wire_bytes for part in parts)
        second = page.wire_bytes + sum(p.wire_bytes for p in parts if not _is_kept(p))
        told = f"{first / 1024:.1f} KB first, {second / 1024:.1f} KB second"
        if elsewhere:
            told += f", from elsewhere: {', '.join(sorted(elsewhere))}"
        unkept = [urlsplit(p.path).path for p in parts if not _is_kept(p)]
        if unkept:
            told += f", fetched again: {', '.join(unkept)}"
        met = first <= FIRST and second <= SECOND and not elsewhere
        return Row(f"bytes of {name}", told, target="<= 30 KB, 6 KB", met=met)

    def parts(self, page: Page) -> tuple[set[str], list[Page]]:
        """Addresses on other origins, and the answers for everything else the page loads."""
        elsewhere: set[str] = set()
        found: dict[str, Page] = {}
        waiting = _named(NAMED_IN_HTML, page)
        while waiting:
            path = waiting.pop()
            if urlsplit(path).netloc:
                elsewhere.add(urlsplit(path).netloc)
            elif path not in found:
                part = found[path] = self.fetch(path)
                if "css" in part.content_type:
                    waiting |= _named(NAMED_IN_CSS, part)
                elif "javascript" in part.content_type:
                    waiting |= _named(NAMED_IN_JS, part)
        return elsewhere, list(found.values())

    def fetch(self, path: str) -> Page:
        if path not in self.kept:
            self.kept[path] = _browser(self.port).get(path)
            assert self.kept[path].status == 200, f"{path}: {self.kept[path].status}"
        return self.kept[path]


def _named(pattern: re.Pattern[str], page: Page) -> set[str]:
    text = NEVER_FETCHED.sub("", page.text)
    names = {next(filter(None, groups)) for groups in pattern.findall(text)}
    names = {name.partition("#")[0] for name in names if not name.startswith(("data:", "#"))}
    return {urljoin(page.path, name) for name in names if name}


def _is_kept(page: Page) -> bool:
    found = MAX_AGE.search(page.cache_control)
    return "no-store" not in page.cache_control and bool(found) and int(found[1]) >= 86_400
