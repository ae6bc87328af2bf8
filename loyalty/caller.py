"""Who is calling: a client behind a token, a member behind a session, or a public client."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class CallerKind(StrEnum):
    """What stands behind a call."""

    CLIENT = "CLIENT"
    MEMBER = "MEMBER"
    PUBLIC = "PUBLIC"
    STAFF = "STAFF"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did something, for the histories: a kind, a name, and the partner acted for."""

    kind: str
    name: str
    partner_id: int | None = None

    @classmethod
    def staff(cls, username: str) -> "Actor":
        """Return a person of the back office."""
        return cls("STAFF", username)

    @classmethod
    def system(cls, name: str) -> "Actor":
        """Return a job or rule of Laurel's own."""
        return cls("SYSTEM", name)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls the API.

    A CLIENT holds scopes and acts for its partner; a house client acts for the programme, as the
    house partner. A MEMBER reaches itself only, and what it posts is the house's. A PUBLIC client
    is an app that keeps no secret: it may sign members in and enrol them, no more. STAFF is a
    person of the back office, who acts for the programme through the same steps.

    The partner comes from the token, never from a request's body.
    """

    client_id: str
    partner_id: int
    partner_code: str
    house: bool
    scopes: frozenset[str]
    rate_limit_per_minute: int
    kind: CallerKind = CallerKind.CLIENT
    member_id: int | None = None
    member_number: str | None = None
    session_id: UUID | None = None
    is_authenticated: bool = True

    @classmethod
    def staff(cls, username: str, *, house_id: int, house_code: str) -> "Caller":
        """Return a person of the back office, who acts for the programme: the house partner."""
        return cls(
            client_id=username,
            partner_id=house_id,
            partner_code=house_code,
            house=True,
            scopes=frozenset(),
            rate_limit_per_minute=0,
            kind=CallerKind.STAFF,
        )

    @property
    def public(self) -> bool:
        """Whether the caller is an app that keeps no secret."""
        return self.kind is CallerKind.PUBLIC

    @property
    def only_partner(self) -> int | None:
        """The partner whose postings the caller may touch; None for a house client: all."""
        return None if self.house else self.partner_id

    @property
    def sees_all_of_member(self) -> bool:
        """Whether references, outlets and promotions of all partners are shown to the caller."""
        return self.house or self.kind is CallerKind.MEMBER

    @property
    def actor(self) -> Actor:
        """The caller as histories name it."""
        if self.kind is CallerKind.MEMBER:
            return Actor("MEMBER", self.member_number or "", self.partner_id)
        if self.kind is CallerKind.STAFF:
            return Actor.staff(self.client_id)
        # A public client is counted by its address, which histories must not keep.
        name = self.client_id.partition("@")[0] if self.public else self.client_id
        return Actor("CLIENT", name, self.partner_id)
