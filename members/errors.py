"""Every refusal of the members app."""

from loyalty.errors import NotFound, Refused


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


class CardBlocked(Refused):
    """The card was reported lost or stolen, or is blocked or closed."""

    code = "CARD_BLOCKED"
    title = "Card blocked"

    def __init__(self, *, status: str) -> None:
        super().__init__(f"The card is {status}.", card_status=status)
