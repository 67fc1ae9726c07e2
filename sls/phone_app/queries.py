"""What the phone app consists of: files under their hashed names, one page for each language, a version."""

import hashlib
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

WORKER = "phone/worker.js"
APART = {WORKER, "phone/icon-512.png"}
SHARED_MODULE = "js/ocra.js"
STATIC = Path(settings.BASE_DIR) / "static"
SCREENS = Path(settings.BASE_DIR) / "templates" / "phone" / "screens"


def file_names() -> list[str]:
    """What the app needs without a network, by its name under `static/`."""
    own = (path.relative_to(STATIC).as_posix() for path in (STATIC / "phone").iterdir())
    return [*sorted(set(own) - APART), SHARED_MODULE]


def first_modules() -> list[str]:
    """Those that the first screen needs: what `app.js` imports, and what that imports."""
    found, todo = [], ["phone/app.js"]
    while todo:
        name = todo.pop()
        text = (STATIC / name).read_text(encoding="utf-8")
        here = [f"phone/{other}" for other in re.findall(r'(?:from|import) "\./([^"]+)";', text)]
        found.append(name)
        todo += [other for other in here if other not in found and other not in todo]
    return [static(name) for name in found]


@cache
def page(language: str) -> str:
    """The shell in one language: the same for everybody, and as long as the process lives."""
    context = {
        "brand": settings.BRAND,
        "demo_mode": settings.DEMO_MODE,
        "languages": settings.LANGUAGES,
        "modules": first_modules(),
        "screens": [f"phone/screens/{path.name}" for path in sorted(SCREENS.glob("*.html"))],
    }
    with translation.override(language):
        return render_to_string("phone/shell.html", context)


def manifest() -> dict[str, Any]:
    def icon(name: str, **more: str) -> dict[str, str]:
        return {"src": static(f"phone/{name}"), "type": "image/png", **more}

    here = reverse("phone_app:shell")
    return {
        "id": here,
        "name": f"IB Key · {settings.BRAND['name']}",
        "short_name": "IB Key",
        "start_url": here,
        "scope": here,
        "display": "standalone",
        "background_color": "#f3f5f3",
        "theme_color": "#0b5560",
        "categories": ["finance", "security"],
        "icons": [
            icon("icon.svg", sizes="any", type="image/svg+xml"),
            icon("icon-192.png", sizes="192x192"),
            icon("icon-512.png", sizes="512x512"),
            icon("icon-512.png", sizes="512x512", purpose="maskable"),
        ],
    }


def worker() -> str:
    """The service worker: what to keep, in which version, and the words of a notification."""
    pages = {code: reverse(f"phone_app:shell_{code}") for code, _name in settings.LANGUAGES}
    files = [static(name) for name in file_names()]
    shell = {
        "home": reverse("phone_app:shell"),
        "pages": pages,
        "fallback": settings.LANGUAGE_CODE,
        "files": files,
        "icon": static("phone/icon-192.png"),
        "words": {code: _words(code) for code in pages},
        "version": _version(files, [page(code) for code in pages]),
    }
    script = static(WORKER)
    return f"self.SHELL = {json.dumps(shell)};\nimportScripts({json.dumps(script)});\n"


def _words(language: str) -> dict[str, str]:
    with translation.override(language):
        return {"title": _("Login request"), "body": _("Open to see it.")}


def _version(files: list[str], pages: list[str]) -> str:
    """Without hashed names, as in development, the files' contents count as well."""
    digest = hashlib.sha256("\n".join([*files, *pages]).encode())
    if not hasattr(staticfiles_storage, "hashed_files"):
        for name in [*file_names(), WORKER]:
            digest.update((STATIC / name).read_bytes())
    return digest.hexdigest()[:16]
