"""Every refusal of the members app."""

from loyalty.errors import LoyaltyError, NotFound, Refused


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
