"""The programme's own addresses."""

from django.urls import URLPattern, path, re_path

from loyalty.api.jobs import JobViewSet
from loyalty.api.masters import MasterViewSet
from loyalty.api.paths import CODE, ENTITY
from loyalty.api.program import ProgramDetailsViewSet
from loyalty.api.webhooks import WebhookViewSet

urlpatterns: list[URLPattern] = [
    path("program/", ProgramDetailsViewSet.as_view({"get": "program"})),
    path("program/languages/", ProgramDetailsViewSet.as_view({"get": "languages"})),
    path("program/communication-categories/", ProgramDetailsViewSet.as_view({"get": "categories"})),
    path("program/communication-channels/", ProgramDetailsViewSet.as_view({"get": "channels"})),
    path("program/identity-providers/", ProgramDetailsViewSet.as_view({"get": "providers"})),
    path("jobs/<uuid:id>/", JobViewSet.as_view({"get": "retrieve"}), name="job"),
    path("jobs/<uuid:id>/errors/", JobViewSet.as_view({"get": "errors"})),
    path("jobs/<uuid:id>/cancel/", JobViewSet.as_view({"post": "cancel"})),
    path("jobs/<uuid:id>/restart/", JobViewSet.as_view({"post": "restart"})),
    re_path(
        rf"^masters/{ENTITY}/schema/$",
        MasterViewSet.as_view({"get": "entity", "put": "put_schema"}),
    ),
    re_path(rf"^masters/{ENTITY}/$", MasterViewSet.as_view({"get": "page", "put": "put_many"})),
    re_path(
        rf"^masters/{ENTITY}/{CODE}/$",
        MasterViewSet.as_view({"get": "one", "put": "put", "delete": "retire"}),
    ),
    path("webhooks/", WebhookViewSet.as_view({"get": "list"})),
    re_path(
        rf"^webhooks/{CODE}/$",
        WebhookViewSet.as_view({"get": "retrieve", "put": "put", "delete": "delete"}),
    ),
    re_path(rf"^webhooks/{CODE}/rotate/$", WebhookViewSet.as_view({"post": "rotate"})),
    re_path(rf"^webhooks/{CODE}/deliveries/$", WebhookViewSet.as_view({"get": "deliveries"})),
    re_path(
        rf"^webhooks/{CODE}/deliveries/(?P<id>[0-9a-f-]{{36}})/retry/$",
        WebhookViewSet.as_view({"post": "retry"}),
    ),
]
