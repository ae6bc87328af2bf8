"""What the keys of a segment file are, and whom they name: numbers, cards, or aliases."""

import re
from dataclasses import dataclass

from loyalty.errors import FieldError, ValidationFailed
from loyalty.models import IdentityProvider, Program
from members.alias_forms import EMAIL, PHONE, stored_form
from members.contacts import NotAContact
from members.key_forms import BadKey, Keys

KINDS = ("number", "card", "alias")
_NUMBER_LENGTH_MAX = 20
_CARD_LENGTH_MAX = 32
_ALIAS_LENGTH_MAX = 200
_CARD = re.compile(r"[A-Za-z0-9]{1,32}")
_BETWEEN = re.compile(r"[\s-]")  # As cards are printed: 6275 0000 0000 0017.

# From whom `i`, the keys of a block, each name: `m`, or nothing.
_BY_NUMBER = "LEFT JOIN members_member m ON m.number = i.key"
_BY_CARD = (
    "LEFT JOIN members_card c ON c.number = i.key LEFT JOIN members_member m ON m.id = c.member_id"
)
_BY_ALIAS = (
    "LEFT JOIN members_alias a ON a.provider_id = %(provider)s AND a.value = i.key"
    " LEFT JOIN members_member m ON m.id = a.member_id"
)


@dataclass(frozen=True, slots=True)
class KeyKind:
    """One kind of keys: how they are read, and the join that resolves them."""

    keys: Keys
    join: str
    provider_id: int | None = None


def kind_of(key: str, provider: str | None) -> KeyKind:
    """Return what keys are.

    :raises ValidationFailed: if an alias names no provider that there is, or another key one.
    """
    if key != "alias":
        if provider is not None:
            message = "Only aliases have a provider."
            raise ValidationFailed([FieldError("/provider", "NOT_HERE", message)])
        return _NUMBERS if key == "number" else _CARDS
    if provider is None:
        message = "Name the provider of the aliases."
        raise ValidationFailed([FieldError("/provider", "MISSING_FIELD", message)])
    found = IdentityProvider.objects.filter(code=provider).first()
    if found is None:
        message = "There is no such identity provider."
        raise ValidationFailed([FieldError("/provider", "NOT_A_CHOICE", message)])
    region = Program.objects.values_list("phone_region", flat=True).get(pk=1)
    return KeyKind(_aliases(found.kind, found.code, region), _BY_ALIAS, found.pk)


def _number(text: str) -> str:
    text = text.strip()
    if not (text.isascii() and text.isdigit() and len(text) <= _NUMBER_LENGTH_MAX):
        raise BadKey(f"A member number has up to {_NUMBER_LENGTH_MAX} digits.")
    return text


def _card(text: str) -> str:
    text = _BETWEEN.sub("", text)
    if not _CARD.fullmatch(text):
        raise BadKey(f"A card number has up to {_CARD_LENGTH_MAX} letters and digits.")
    return text


_NUMBERS = KeyKind(
    Keys(
        is_plain=lambda raw: raw.isdigit() and len(raw) <= _NUMBER_LENGTH_MAX,
        stored=_number,
        may_be=str.isdigit,
        headers=frozenset(
            {"number", "member", "member number", "member_number", "membernumber", "id"}
        ),
    ),
    _BY_NUMBER,
)
_CARDS = KeyKind(
    Keys(
        is_plain=lambda raw: raw.isalnum() and len(raw) <= _CARD_LENGTH_MAX,
        stored=_card,
        may_be=lambda text: any(map(str.isdigit, text)),
        headers=frozenset({"card", "card number", "card_number", "cardnumber", "card no"}),
    ),
    _BY_CARD,
)


def _aliases(kind: str, provider: str, region: str) -> Keys:
    def stored(text: str) -> str:
        try:
            value = stored_form(kind, text.strip(), region)
        except NotAContact:
            what = "e-mail address" if kind == EMAIL else "phone number"
            raise BadKey(f"It is no {what}.") from None
        if len(value) > _ALIAS_LENGTH_MAX:
            raise BadKey(f"An alias has up to {_ALIAS_LENGTH_MAX} characters.")
        return value

    def may_be(text: str) -> bool:
        if kind == EMAIL:
            return "@" in text
        return kind != PHONE or any(map(str.isdigit, text))

    named = {"alias", "value", "key", "email", "e-mail", "mail", "phone", "mobile", "login"}
    return Keys(
        is_plain=lambda raw: False,
        stored=stored,
        may_be=may_be,
        headers=frozenset({*named, provider}),
    )
