from django.urls import path

from . import views

urlpatterns = [
    path("", views.demo, name="demo"),
    path("cards/<slug:serial>.txt", views.card, name="demo_card"),
]
