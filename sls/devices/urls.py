from django.urls import path

from . import views

urlpatterns = [path("", views.secure_login, name="secure_login")]
