"""Who is calling: the client behind a token."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caller:
    """An API client. A house client acts for the programme, as the house partner.

    The partner comes from the token's client, never from a request's body.
    """

    client_id: str
    partner_id: int
    partner_code: str
    house: bool
    scopes: frozenset[str]
    rate_limit_per_minute: int
    is_authenticated: bool = True

    @property
    def only_partner(self) -> int | None:
        """The partner whose postings the caller may touch; None for a house client: all."""
        return None if self.house else self.partner_id
