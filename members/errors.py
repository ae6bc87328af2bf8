"""Every refusal of the members app."""

from typing import Any

from loyalty.errors import Conflict, NotFound, Refused


class DuplicateMember(Conflict):
    """A member has one of these contacts already, and the programme enrols nobody twice."""

    code = "DUPLICATE_MEMBER"
    title = "A member already"

    def __init__(self, *, matched: list[str] | None, member: str | None = None) -> None:
        told: dict[str, Any] = {"matched": matched} if matched else {}
        if member is not None:
            told["member"] = member
        super().__init__("Somebody with these contacts is a member already.", **told)


class CardNotFound(NotFound):
    """The card is not one of the programme's."""

    code = "CARD_NOT_FOUND"
    title = "Card not found"

    def __init__(self) -> None:
        super().__init__("No such card.")


class StageForbids(Refused):
    """The member's stage does not allow the action."""

    code = "STAGE_FORBIDS"
    title = "The member's stage forbids this"

    def __init__(self, *, stage: str, action: str) -> None:
        super().__init__(f"A member who is {stage} may not {action}.", stage=stage, action=action)


class StageTransitionForbidden(Refused):
    """The one stage does not lead to the other."""

    code = "STAGE_TRANSITION_FORBIDDEN"
    title = "The stage cannot be changed so"

    def __init__(self, *, before: str, after: str) -> None:
        super().__init__(
            f"A member who is {before} cannot become {after}.", stage=before, wanted=after
        )


class CardBlocked(Refused):
    """The card was reported lost or stolen, or is blocked or closed."""

    code = "CARD_BLOCKED"
    title = "Card blocked"

    def __init__(self, *, status: str) -> None:
        super().__init__(f"The card is {status}.", card_status=status)


class CardTaken(Conflict):
    """The number is, or was, the card of a member."""

    code = "CARD_TAKEN"
    title = "Card taken"

    def __init__(self) -> None:
        super().__init__("This card is in use, or was. Take another.")


class CardAlreadyReplaced(Conflict):
    """The card has a successor already."""

    code = "CARD_ALREADY_REPLACED"
    title = "Card already replaced"

    def __init__(self) -> None:
        super().__init__("This card was replaced before. Replace its successor.")


class CardTransitionForbidden(Refused):
    """A card cannot become this from what it is."""

    code = "CARD_TRANSITION_FORBIDDEN"
    title = "Not possible for this card"

    def __init__(self, *, now: str, wanted: str) -> None:
        super().__init__(f"A card that is {now} cannot become {wanted}.", card_status=now)


class CardsExhausted(Refused):
    """No range of card numbers has one left."""

    code = "CARDS_EXHAUSTED"
    title = "No card numbers left"

    def __init__(self) -> None:
        super().__init__("No range has a number left. The programme has to add one.")


class CardRangeUnknown(Refused):
    """The programme has no such range of card numbers, or gives none out of it."""

    code = "CARD_RANGE_UNKNOWN"
    title = "Card range unknown"

    def __init__(self, code: str) -> None:
        super().__init__(f"No numbers are given out of a range {code!r}.", range=code)


class SeveralCardsForbidden(Refused):
    """The member has a card, and the programme allows one."""

    code = "SEVERAL_CARDS_FORBIDDEN"
    title = "One card only"

    def __init__(self) -> None:
        super().__init__("The member has a card already; replace it.")


class ProviderNotFound(NotFound):
    """The programme has no such identity provider."""

    code = "PROVIDER_NOT_FOUND"
    title = "Identity provider not found"

    def __init__(self) -> None:
        super().__init__("No such identity provider.")


class ProviderInactive(Refused):
    """No new aliases of this identity provider are taken."""

    code = "PROVIDER_INACTIVE"
    title = "Identity provider inactive"

    def __init__(self, provider: str) -> None:
        super().__init__(f"No new aliases of {provider} are taken.", provider=provider)


class AliasTaken(Conflict):
    """The value is another member's, or was until lately."""

    code = "ALIAS_TAKEN"
    title = "Alias taken"

    def __init__(self) -> None:
        super().__init__("This value is in use, or was until lately.")


class AliasNotFound(NotFound):
    """The value is not an alias of the member."""

    code = "ALIAS_NOT_FOUND"
    title = "Alias not found"

    def __init__(self) -> None:
        super().__init__("The member has no such alias.")


class AliasLimitReached(Refused):
    """The member has as many aliases of the provider as it allows."""

    code = "ALIAS_LIMIT_REACHED"
    title = "Too many aliases"

    def __init__(self, *, at_most: int) -> None:
        super().__init__(
            f"A member has at most {at_most} here. Name in `replaces` which one goes.",
            at_most=at_most,
        )


class AliasProofNeeded(Refused):
    """A member has to prove that an e-mail address or a phone number is theirs."""

    code = "ALIAS_PROOF_NEEDED"
    title = "Proof needed"

    def __init__(self) -> None:
        super().__init__("Confirm this contact first, and send the verification's id as `proof`.")


class AliasProofInvalid(Refused):
    """What was sent as proof does not prove that the value is the member's."""

    code = "ALIAS_PROOF_INVALID"
    title = "Proof invalid"

    def __init__(self) -> None:
        super().__init__("No confirmed verification of this value is known by this id.")


class CurrencyUnknown(Refused):
    """The programme does not know the currency, or no longer uses it."""

    code = "CURRENCY_UNKNOWN"
    title = "Currency unknown"

    def __init__(self, currency: str) -> None:
        super().__init__(f"The programme has no currency {currency}.", currency=currency)


class CurrencyNotFound(NotFound):
    """The currency is not among the member's."""

    code = "CURRENCY_NOT_FOUND"
    title = "Currency not found"

    def __init__(self) -> None:
        super().__init__("The member does not have this currency.")


class CurrencyIsDefault(Refused):
    """Values are shown in the currency, so it cannot be removed."""

    code = "CURRENCY_IS_DEFAULT"
    title = "Currency is the default"

    def __init__(self, currency: str) -> None:
        super().__init__(f"Values are shown in {currency}; make another the default first.")


class SegmentNotFound(NotFound):
    """There is no segment of this code."""

    code = "SEGMENT_NOT_FOUND"
    title = "Segment not found"

    def __init__(self) -> None:
        super().__init__("No such segment.")


class SegmentIsDynamic(Refused):
    """A condition says who is in the segment; nobody is put in or taken out by hand."""

    code = "SEGMENT_IS_DYNAMIC"
    title = "The segment is dynamic"

    def __init__(self, *, segment: str) -> None:
        super().__init__(
            f"The members of {segment} are found by its condition. Change that, or take a static"
            " segment.",
            segment=segment,
        )


class SegmentIsStatic(Refused):
    """The segment has no condition by which its members could be found."""

    code = "SEGMENT_IS_STATIC"
    title = "The segment is static"

    def __init__(self, *, segment: str) -> None:
        super().__init__(f"The members of {segment} are set by hand and by files.", segment=segment)


class SegmentKindFixed(Refused):
    """A static segment stays static, and a dynamic one dynamic."""

    code = "SEGMENT_KIND_FIXED"
    title = "The segment's kind is fixed"

    def __init__(self, *, kind: str) -> None:
        super().__init__(f"The segment is {kind} and stays so. Make another.", kind=kind)
