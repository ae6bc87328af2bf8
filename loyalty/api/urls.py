"""The programme's own addresses."""

from django.urls import URLPattern, path

from loyalty.api.jobs import JobViewSet

urlpatterns: list[URLPattern] = [
    path("jobs/<uuid:id>/", JobViewSet.as_view({"get": "retrieve"}), name="job"),
    path("jobs/<uuid:id>/errors/", JobViewSet.as_view({"get": "errors"})),
    path("jobs/<uuid:id>/cancel/", JobViewSet.as_view({"post": "cancel"})),
    path("jobs/<uuid:id>/restart/", JobViewSet.as_view({"post": "restart"})),
]
