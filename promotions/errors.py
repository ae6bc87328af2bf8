"""Every refusal of promotions."""

from typing import Any

from loyalty.errors import Conflict, FieldError, Refused


class TendersMismatch(Refused):
    """The tenders do not sum to what the lines cost after discounts."""

    code = "TENDERS_MISMATCH"
    title = "Tenders and lines differ"

    def __init__(self, *, tenders: str, lines: str) -> None:
        super().__init__(
            f"The tenders sum to {tenders}, the lines after discounts to {lines}.",
            tenders=tenders,
            lines=lines,
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
