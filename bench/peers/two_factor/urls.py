from django.urls import include, path
from two_factor.urls import urlpatterns as two_factor_urls

from bench.peers import views

urlpatterns = [
    path("", views.home),
    path("ready/", views.ready),
    path("", include(two_factor_urls)),
]
