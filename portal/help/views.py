"""The help centre's pages. Public: whoever is locked out needs them most."""

import datetime

from django.conf import settings
from django.contrib.syndication.views import Feed
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse, reverse_lazy
from django.utils.feedgenerator import Atom1Feed
from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from portal.help import articles
from portal.help.articles import Article

SUBJECTS: dict[str, str | Promise] = {
    "sharing": _("Sharing a device"),
    "ib-key": _("IB Key"),
    "cards": _("Cards and DSC+"),
    "login": _("Login troubles"),
    "start": _("Getting started"),
}


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    language = get_language()
    query = request.GET.get("q", "").strip()
    everything = articles.index(language)
    context = {
        "query": query,
        "hits": articles.search(query, language) if query else [],
        "groups": [
            {
                "slug": subject,
                "title": title,
                "articles": [article for article in everything if article.subject == subject],
            }
            for subject, title in SUBJECTS.items()
        ],
    }
    return render(request, "help/index.html", context)


@require_safe
def article(request: HttpRequest, slug: str) -> HttpResponse:
    language = get_language()
    found = articles.find(slug, language)
    if found is None:
        raise Http404(slug)
    related = [
        other
        for other in articles.index(language)
        if other.subject == found.subject and other.slug != found.slug
    ]
    context = {
        "article": found,
        "subject": SUBJECTS[found.subject],
        "related": related[:6],
    }
    return render(request, "help/article.html", context)


class ArticleFeed(Feed):  # type: ignore[type-arg]
    feed_type = Atom1Feed
    title = _("Help centre")
    subtitle = _("New and changed help articles")
    link = reverse_lazy("help:index")

    def author_name(self) -> str:
        return str(settings.BRAND["name"])

    def items(self) -> list[Article]:
        return articles.index(get_language())

    def item_title(self, item: Article) -> str:
        return f"{item.code} {item.title}".strip()

    def item_description(self, item: Article) -> str:
        return item.summary

    def item_link(self, item: Article) -> str:
        return reverse("help:article", args=[item.slug])

    def item_updateddate(self, item: Article) -> datetime.datetime:
        return datetime.datetime.combine(item.updated, datetime.time(), tzinfo=datetime.UTC)

    def item_categories(self, item: Article) -> list[str]:
        return [str(SUBJECTS[item.subject])]


feed = ArticleFeed()
