"""Every refusal of the members app."""

from loyalty.errors import Conflict, LoyaltyError, NotFound, Refused


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


class SignInFailed(LoyaltyError):
    """The login name, the password or the code is not right; it is not told which."""

    status = 401
    code = "SIGN_IN_FAILED"
    title = "Sign-in failed"

    def __init__(self) -> None:
        super().__init__("This login name and this password or code do not sign anybody in.")


class RefreshInvalid(LoyaltyError):
    """The refresh token is unknown, was used before, or its session has ended."""

    status = 401
    code = "REFRESH_INVALID"
    title = "Refresh token not valid"

    def __init__(self) -> None:
        super().__init__("Let the member sign in again.")


class PasswordWrong(Refused):
    """The old password is not the member's."""

    code = "PASSWORD_WRONG"
    title = "Wrong password"

    def __init__(self, *, attempts_left: int) -> None:
        super().__init__("This is not the member's password.", attempts_left=attempts_left)


class PasswordRefused(Refused):
    """The new password is too weak, too close to the member's data, or was used before."""

    code = "PASSWORD_REFUSED"
    title = "Choose another password"

    def __init__(self, reasons: list[tuple[str, str]]) -> None:
        super().__init__(
            " ".join(message for _, message in reasons),
            reasons=[{"code": code.upper(), "message": message} for code, message in reasons],
        )


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
