"""OAuth for API clients: two secrets while one is rotated, only the scopes they were given."""

from typing import Any

from django.db.models import Q
from django.utils import timezone
from oauth2_provider.oauth2_validators import OAuth2Validator
from oauth2_provider.scopes import BaseScopes

from loyalty import token_cache
from loyalty.scopes import HOUSE_ONLY, Scope
from partners.models import ApiClient, Partner


class _Secrets(str):
    """The stored hash of a client's secret, with that of its second one."""

    second: str = ""


class ClientValidator(OAuth2Validator):
    """The stock validator, for clients with up to two secrets and an active partner."""

    def _load_application(self, client_id: str, request: Any) -> Any:
        application = super()._load_application(client_id, request)
        client = self._client_of(application) if application else None
        if client is None:
            request.client = None
            return None
        secrets = _Secrets(application.client_secret)
        if client.second_secret_until and client.second_secret_until > timezone.now():
            secrets.second = client.second_secret
        application.client_secret = secrets
        return application

    @staticmethod
    def _client_of(application: Any) -> ApiClient | None:
        """Return the client that may ask for tokens, if the application is one's."""
        if application.authorization_grant_type != application.GRANT_CLIENT_CREDENTIALS:
            return None
        return ApiClient.objects.filter(
            Q(partner=None) | Q(partner__status=Partner.Status.ACTIVE),
            application=application,
            public=False,
        ).first()

    def _check_secret(self, provided_secret: str, stored_secret: str) -> bool:
        if super()._check_secret(provided_secret, stored_secret):
            return True
        second = getattr(stored_secret, "second", "")
        return bool(second) and super()._check_secret(provided_secret, second)

    def revoke_token(self, token: str, *args: Any, **kwargs: Any) -> None:
        super().revoke_token(token, *args, **kwargs)
        token_cache.forget(token)


class ClientScopes(BaseScopes):
    """What a client was given; house-only scopes are refused to a partner's client again."""

    def get_all_scopes(self) -> dict[str, str]:
        return {str(scope): scope.name for scope in Scope}

    def get_available_scopes(self, application: Any = None, *args: Any, **kwargs: Any) -> list[str]:
        client = ApiClient.objects.filter(application=application).first()
        if client is None:
            return []
        return [s for s in client.scopes if client.partner_id is None or s not in HOUSE_ONLY]

    def get_default_scopes(self, application: Any = None, *args: Any, **kwargs: Any) -> list[str]:
        return self.get_available_scopes(application)
