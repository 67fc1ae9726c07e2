from django.urls import path
from django.views.generic import RedirectView

from portal.help import views

app_name = "help"

urlpatterns = [
    path("", views.index, name="index"),
    path("feed/", views.feed, name="feed"),
    # The overview of the Secure Login System has a short address of its own.
    path(
        "sls/",
        RedirectView.as_view(pattern_name="help:article"),
        {"slug": "kb1131"},
        name="sls",
    ),
    path("<slug:slug>/", views.article, name="article"),
]
