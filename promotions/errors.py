"""Every refusal of promotions."""

from typing import Any

from loyalty.errors import Conflict, FieldError, NotFound, Refused


class TendersMismatch(Refused):
    """The tenders do not sum to what the lines cost after discounts."""

    code = "TENDERS_MISMATCH"
    title = "Tenders and lines differ"

    def __init__(self, *, tenders: str, lines: str, to_pay: str | None = None) -> None:
        wanted = f"the lines after discounts to {lines}"
        if to_pay is not None:
            wanted = f"{to_pay} is left to pay"
        told = {} if to_pay is None else {"to_pay": to_pay}
        super().__init__(
            f"The tenders sum to {tenders}, {wanted}.", tenders=tenders, lines=lines, **told
        )


class MoreThanDue(Refused):
    """Points or a voucher would pay more than is left to pay."""

    code = "MORE_THAN_DUE"
    title = "More than is left to pay"

    def __init__(self, *, pointer: str, pays: str, left: str) -> None:
        super().__init__(
            f"{pays} would be paid where {left} is left to pay.",
            pointer=pointer,
            pays=pays,
            left_to_pay=left,
        )


class CurrencyDiffers(Refused):
    """What is to pay for a basket, or comes back in it, is in another currency than the basket."""

    code = "CURRENCY_DIFFERS"
    title = "Another currency"

    def __init__(self, *, pointer: str, currency: str, wanted: str) -> None:
        super().__init__(
            f"This is in {currency}, the basket in {wanted}.",
            pointer=pointer,
            currency=currency,
            wanted=wanted,
        )


class PartReversed(Conflict):
    """A part of the call was returned, reversed or undone before, or its sale was since."""

    code = "PART_REVERSED"
    title = "A part was taken back before"

    def __init__(self, *, parts: list[str]) -> None:
        super().__init__(
            "A part was returned, reversed or undone by itself: take back the others one by one.",
            parts=parts,
        )


class TestsFail(Refused):
    """A promotion cannot go live while its rule tests fail."""

    code = "RULE_TESTS_FAIL"
    title = "Rule tests fail"

    def __init__(self, failures: list[str]) -> None:
        super().__init__(f"{len(failures)} rule tests fail: {failures[0]}", failures=failures)


class MergeForbidden(Refused):
    """One of the two members is closed, or was merged before."""

    code = "MERGE_FORBIDDEN"
    title = "These members cannot be merged"

    def __init__(self, *, member: str, stage: str) -> None:
        super().__init__(f"The member {member} is {stage}.", member=member, stage=stage)


class NotMerged(Conflict):
    """The member is not merged into another, or no longer."""

    code = "NOT_MERGED"
    title = "Not merged"

    def __init__(self) -> None:
        super().__init__("This member is not merged into another.")


class MergeTouched(Conflict):
    """What a merge moved was used since, so that the two cannot be parted any more."""

    code = "MERGE_TOUCHED"
    title = "What was merged was used since"

    def __init__(self, touched: list[dict[str, Any]]) -> None:
        super().__init__(f"{len(touched)} postings used what the merge moved.", touched=touched)


class ReturnExceedsPurchase(Refused):
    """More comes back than was bought less what came back before, or is refunded than was paid."""

    code = "RETURN_EXCEEDS_PURCHASE"
    title = "Return exceeds the purchase"

    def __init__(self, message: str, *, line: int | None) -> None:
        super().__init__(message, line=line)


class EvaluationGone(Refused):
    """The facts of the purchase were emptied, by retention or erasure."""

    code = "TOO_OLD"
    title = "Too long ago"

    def __init__(self) -> None:
        super().__init__("What the purchase was evaluated on is no longer kept.")


class EventSchemaViolation(Refused):
    """The event is of no type that the caller may send, or its attributes are not its type's."""

    code = "EVENT_SCHEMA_VIOLATION"
    title = "The event is not as its type says"

    def __init__(self, errors: list[FieldError]) -> None:
        first = errors[0]
        super().__init__(
            f"{first.message} (at {first.pointer})",
            errors=[
                {"pointer": each.pointer, "code": each.code, "message": each.message}
                for each in errors
            ],
        )


class NothingWaits(Conflict):
    """Nothing of the promotion waits for approval, or no longer."""

    code = "NOTHING_WAITS"
    title = "Nothing waits for approval"

    def __init__(self, *, promotion: str) -> None:
        super().__init__(f"Nothing of {promotion} waits for approval.", promotion=promotion)


class SecondPersonNeeded(Refused):
    """Whoever asked for it cannot approve or reject it."""

    code = "SECOND_PERSON_NEEDED"
    title = "Somebody else has to judge this"

    def __init__(self) -> None:
        super().__init__("Whoever asked for it cannot be the one who approves or rejects it.")


class SweepstakeNotFound(NotFound):
    """There is no such sweepstake, or it is not for the caller to see."""

    code = "SWEEPSTAKE_NOT_FOUND"
    title = "Sweepstake not found"

    def __init__(self) -> None:
        super().__init__("No such sweepstake. GET /sweepstakes/ lists them.")


class SweepstakeClosed(Refused):
    """The sweepstake takes no entries now: not yet, or no more."""

    code = "SWEEPSTAKE_CLOSED"
    title = "The sweepstake is not open"

    def __init__(self, *, status: str, opens_at: object, closes_at: object) -> None:
        super().__init__(
            f"The sweepstake is {status.lower()}.",
            sweepstake_status=status,
            opens_at=opens_at,
            closes_at=closes_at,
        )


class TicketLimit(Refused):
    """The member would hold more tickets than one may."""

    code = "TICKET_LIMIT"
    title = "No more tickets for this member"

    def __init__(self, *, at_most: int, held: int) -> None:
        super().__init__(f"A member gets {at_most}; {held} are held.", at_most=at_most, held=held)


class EntryNotOffered(Refused):
    """The sweepstake is not entered in this way."""

    code = "ENTRY_NOT_OFFERED"
    title = "Not offered"

    def __init__(self, *, source: str) -> None:
        super().__init__(f"Its tickets are not to be had by {source}.", source=source)


class TicketsListed(Conflict):
    """The list of tickets is fixed for the draw: none is taken back any more."""

    code = "TICKETS_LISTED"
    title = "The list of tickets is fixed"

    def __init__(self, *, listed_at: object) -> None:
        super().__init__("The tickets take part in the draw.", listed_at=listed_at)


class NotDrawn(NotFound):
    """The sweepstake has not been drawn yet."""

    code = "NOT_DRAWN"
    title = "Not drawn yet"

    def __init__(self, *, draws_at: object) -> None:
        super().__init__("The sweepstake was not drawn yet.", draws_at=draws_at)


class SweepstakeForbids(Conflict):
    """The sweepstake cannot be published, withdrawn or drawn as it stands."""

    code = "SWEEPSTAKE_FORBIDS"
    title = "Not as the sweepstake stands"


class OriginalNeeded(Refused):
    """The programme takes no returns of purchases that nobody can name."""

    code = "ORIGINAL_NEEDED"
    title = "Which purchase?"

    def __init__(self) -> None:
        super().__init__("Name the purchase that the items come back of, as original.")
