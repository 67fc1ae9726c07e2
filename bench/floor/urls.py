from django.urls import path

from . import views

urlpatterns = [
    path("", views.home),
    path("login/", views.password),
    path("code/", views.code),
    path("devices/", views.devices),
    path("ready/", views.ready),
]
