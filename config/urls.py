"""Every address of Laurel."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView
from oauth2_provider import views as oauth

from loyalty.api import health
from loyalty.api.docs import error_page
from partners.api.introspection import Introspection

oauth_patterns = [
    path("token/", oauth.TokenView.as_view(), name="token"),
    path("revoke_token/", oauth.RevokeTokenView.as_view(), name="revoke-token"),
    path("introspect/", Introspection.as_view(), name="introspect"),
]

v1_patterns = [
    path("", include("loyalty.api.urls")),
    path("", include("members.api.urls")),
    path("", include("ledger.api.urls")),
    path("", include("vouchers.api.urls")),
    path("", include("promotions.api.urls")),
]

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index"), name="home"),
    path("admin/", admin.site.urls),
    path("oauth/", include((oauth_patterns, "oauth2_provider"))),
    path("api/v1/", include(v1_patterns)),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", SpectacularSwaggerView.as_view(url_name="schema"), name="docs"),
    path("api/docs/errors/", error_page, name="errors"),
    path("health/", health.ready, name="health"),
    path("health/live/", health.live, name="health-live"),
]

handler400 = "loyalty.api.exceptions.bad_request"
handler404 = "loyalty.api.exceptions.not_found"
handler500 = "loyalty.api.exceptions.server_error"
