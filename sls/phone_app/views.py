"""The phone app's shell: pages without anything personal, which the service worker keeps."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import get_language
from django.views.decorators.http import require_safe

from . import queries


@require_safe
def shell(request: HttpRequest, language: str = "") -> HttpResponse:
    """Without a language of its own the address answers in the visitor's."""
    language = language or get_language() or "en"
    return HttpResponse(queries.page(language), headers={"Content-Language": language})


@require_safe
def manifest(request: HttpRequest) -> JsonResponse:
    return JsonResponse(queries.manifest(), content_type="application/manifest+json")


@require_safe
def worker(request: HttpRequest) -> HttpResponse:
    """Under /phone/, because a service worker rules over what lies beside and below it."""
    return HttpResponse(queries.worker(), content_type="text/javascript; charset=utf-8")
