"""Token introspection (RFC 7662), as the API itself would judge a token."""

from typing import Any

from django.http import HttpRequest, JsonResponse
from oauth2_provider.views import IntrospectTokenView
from oauthlib.common import Request

from partners.oauth import ClientValidator
from partners.queries import caller_of_token


class Introspection(IntrospectTokenView):
    """Tells a client about its own tokens; others, and those the API refuses, are not active."""

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> JsonResponse:
        token = request.POST.get("token")
        if not token:
            problem = "Token parameter is missing."
            answer = {"error": "invalid_request", "error_description": problem}
            return JsonResponse(answer, status=400)
        found = caller_of_token(token) if token.isascii() else None
        if found is None or found[0].client_id != self._client_id(request):
            return JsonResponse({"active": False})
        caller, expires_at = found
        return JsonResponse(
            {
                "active": True,
                "client_id": caller.client_id,
                "scope": " ".join(sorted(caller.scopes)),
                "exp": int(expires_at.timestamp()),
            }
        )

    def _client_id(self, request: HttpRequest) -> str | None:
        """Return which client authenticated itself: by Basic, by body, or by its own token."""
        core = self.get_oauthlib_core()
        uri, method, body, headers = core._extract_params(request)
        asked = Request(uri, method, body, headers)
        if ClientValidator().authenticate_client(asked):
            return str(asked.client.client_id)
        bearer = request.headers.get("Authorization", "").partition(" ")[2]
        found = caller_of_token(bearer) if bearer.isascii() else None
        return found[0].client_id if found else None
