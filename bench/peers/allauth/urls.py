from django.urls import include, path

from bench.peers import views

urlpatterns = [
    path("", views.home),
    path("ready/", views.ready),
    path("accounts/", include("allauth.urls")),
]
