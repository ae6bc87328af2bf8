"""The refusals of sign-in, passwords, codes, PINs and step-ups."""

from typing import Any

from loyalty.errors import LoyaltyError, Refused


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


class StepUpRequired(Refused):
    """More than a session or a token is needed: a PIN or a one-time code first."""

    code = "STEP_UP_REQUIRED"
    title = "A PIN is needed"

    def __init__(self, *, purpose: str, points: int | None = None, **extra: Any) -> None:
        super().__init__(
            "Verify the member's PIN, or a one-time code, and send the `step_up` that it gives.",
            purpose=purpose,
            points=points,
            **extra,
        )


class StepUpInvalid(Refused):
    """The step-up is unknown, was used or is over, or was given for something else."""

    code = "STEP_UP_INVALID"
    title = "Step-up not valid"

    def __init__(self) -> None:
        super().__init__("Verify the PIN again, for this member, purpose and amount.")


class ProofNeeded(Refused):
    """The PIN cannot be set without proof that the member is asking."""

    code = "PROOF_NEEDED"
    title = "Proof needed"

    def __init__(self) -> None:
        super().__init__("Send `proof` with the old PIN, the password or a confirmed code.")


class PinWrong(Refused):
    """The PIN, or the password in its place, is not the member's."""

    code = "PIN_WRONG"
    title = "Wrong PIN"

    def __init__(self, *, attempts_left: int) -> None:
        super().__init__("This is not the member's PIN.", attempts_left=attempts_left)


class PinNotSet(Refused):
    """The member has no PIN yet."""

    code = "PIN_NOT_SET"
    title = "No PIN yet"

    def __init__(self) -> None:
        super().__init__("The member has no PIN; one has to be set first.")


class CodeWrong(Refused):
    """The one-time code is not the one that was sent, was used, or is over."""

    code = "CODE_WRONG"
    title = "Wrong code"

    def __init__(self, *, attempts_left: int) -> None:
        super().__init__(
            "This is not the code that was sent, or it was used or is over.",
            attempts_left=attempts_left,
        )


class ContactMissing(Refused):
    """The member has no contact for the channel, or not this one, or has not confirmed it."""

    code = "CONTACT_MISSING"
    title = "No such contact"

    def __init__(self, *, channel: str) -> None:
        super().__init__(
            "There is no such contact of the member to send a code to.", channel=channel.lower()
        )


class ResetInvalid(Refused):
    """The token for a new password is unknown, was used, or is over."""

    code = "RESET_INVALID"
    title = "Reset token not valid"

    def __init__(self) -> None:
        super().__init__("Ask for another e-mail; each token works once, for an hour.")


class PinRefused(Refused):
    """The new PIN is too easy to guess, of another length, or the one in use."""

    code = "PIN_REFUSED"
    title = "Choose another PIN"

    def __init__(self, *, reason: str, digits: int) -> None:
        super().__init__(
            f"A PIN has {digits} digits: no sequence, no repetition, no birth date, not the old.",
            reason=reason,
            digits=digits,
        )


class AboveMaximum(Refused):
    """The programme lets no member set so high a limit."""

    code = "ABOVE_MAXIMUM"
    title = "Above the programme's maximum"

    def __init__(self, *, at_most: str, currency: str) -> None:
        super().__init__(
            f"The highest limit a member may set is {at_most} {currency}.",
            at_most=at_most,
            currency=currency,
        )
