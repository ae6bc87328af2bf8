"""Refusals: what a caller can act on. Each has a status, a title and a code that never changes."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar


class LoyaltyError(Exception):
    """A refusal. `detail` is a sentence for a person, `extra` are members of the problem."""

    status: ClassVar[int] = 422
    code: ClassVar[str]
    title: ClassVar[str]

    def __init__(self, detail: str, **extra: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extra = extra


class NotFound(LoyaltyError):
    """Something is unknown, or not the caller's: one and the same answer."""

    status = 404
    code = "NOT_FOUND"
    title = "Not found"


class Conflict(LoyaltyError):
    """The state of things, or a lost race, forbids it."""

    status = 409
    code = "CONFLICT"
    title = "Conflict"


class Refused(LoyaltyError):
    """A rule of the programme forbids it."""

    status = 422
    code = "REFUSED"
    title = "Refused"


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field; `pointer` is a JSON pointer into the body or the query."""

    pointer: str
    code: str
    message: str


class ValidationFailed(LoyaltyError):
    """The request is not what the operation takes."""

    status = 400
    code = "VALIDATION_FAILED"
    title = "The request is not valid"

    def __init__(self, errors: list[FieldError]) -> None:
        first = errors[0]
        super().__init__(f"{first.message} (at {first.pointer or 'the body'})")
        self.errors = errors


class CursorMismatch(LoyaltyError):
    """The cursor belongs to other filters, or to nothing."""

    status = 400
    code = "CURSOR_MISMATCH"
    title = "The cursor does not fit"

    def __init__(self) -> None:
        super().__init__("Use a cursor only with the filters of the page that gave it.")


class Unauthenticated(LoyaltyError):
    """There is no valid token."""

    status = 401
    code = "UNAUTHENTICATED"
    title = "No valid token"

    def __init__(self) -> None:
        super().__init__("Send `Authorization: Bearer` with a token from /oauth/token/.")


class ScopeMissing(LoyaltyError):
    """The token lacks the scope that the action names."""

    status = 403
    code = "SCOPE_MISSING"
    title = "Scope missing"

    def __init__(self, scope: str) -> None:
        super().__init__(f"The token needs the scope {scope}.", scope=scope)


class SessionNeeded(LoyaltyError):
    """Only a member's own session can do this; a client's token cannot."""

    status = 403
    code = "SESSION_NEEDED"
    title = "A member's session is needed"

    def __init__(self) -> None:
        super().__init__("Use the token that the member's sign-in gave, as `Bearer`.")


class MemberNotFound(NotFound):
    """Nobody is named by this number, card or alias, or nobody that the caller may reach."""

    code = "MEMBER_NOT_FOUND"
    title = "Member not found"

    def __init__(self) -> None:
        super().__init__("No member is named so.")


class EntityNotFound(NotFound):
    """There is no such entity of master data."""

    code = "ENTITY_NOT_FOUND"
    title = "Entity not found"

    def __init__(self, entity: str) -> None:
        super().__init__(f"No entity {entity!r}; its schema makes one.")


class MasterNotFound(NotFound):
    """There is no such record of master data, or none at that instant."""

    code = "MASTER_NOT_FOUND"
    title = "Record not found"

    def __init__(self) -> None:
        super().__init__("No such record, or it did not hold then.")


class SchemaInUse(Conflict):
    """Records of the entity would break its new schema."""

    code = "SCHEMA_IN_USE"
    title = "Records break the schema"

    def __init__(self, records: list[str]) -> None:
        super().__init__(
            f"Records hold what the schema would not allow, {records[0]} among them.",
            records=records,
        )


class ExpressionInvalid(Refused):
    """A condition is no expression of CEL, or asks for what there is not."""

    code = "EXPRESSION_INVALID"
    title = "Expression invalid"

    def __init__(self, pointer: str, message: str, position: int) -> None:
        super().__init__(
            f"{message} (at character {position} of {pointer})", pointer=pointer, position=position
        )


class VersionConflict(LoyaltyError):
    """What is to be changed is no longer what the caller read."""

    status = 412
    code = "VERSION_CONFLICT"
    title = "Changed meanwhile"

    def __init__(self, version: int) -> None:
        super().__init__(
            f"This stands at version {version}. Read it again, and send its ETag as If-Match.",
            version=version,
        )


class LockedOut(LoyaltyError):
    """Too many attempts failed; the next is looked at only after `until`."""

    status = 423
    code = "LOCKED_OUT"
    title = "Locked out for a while"

    def __init__(self, until: datetime) -> None:
        super().__init__(
            "Too many attempts failed. Try again later, or ask the help desk.",
            until=until,
            attempts_left=0,
        )


class MethodNotAllowed(LoyaltyError):
    """The resource does not know the method."""

    status = 405
    code = "METHOD_NOT_ALLOWED"
    title = "Method not allowed"

    def __init__(self, method: str | None) -> None:
        super().__init__(f"{method} is not allowed here; the header Allow names what is.")


class NotAcceptable(LoyaltyError):
    """The answer cannot be given in the form that was asked for."""

    status = 406
    code = "NOT_ACCEPTABLE"
    title = "Not acceptable"

    def __init__(self) -> None:
        super().__init__("Ask for application/json.")


class FileMissing(NotFound):
    """There is no such file under the import folder, or it was deleted since."""

    code = "FILE_NOT_FOUND"
    title = "File not found"

    def __init__(self) -> None:
        super().__init__("The import folder has no such file, or it was deleted meanwhile.")


class ReferenceConflict(Conflict):
    """The reference was used for other content."""

    code = "REFERENCE_CONFLICT"
    title = "Reference already used"

    def __init__(self) -> None:
        super().__init__("This reference was used for other content. Use one per posting.")


class PayloadTooLarge(LoyaltyError):
    """The body is larger than is accepted."""

    status = 413
    code = "PAYLOAD_TOO_LARGE"
    title = "Body too large"

    def __init__(self, limit: int) -> None:
        super().__init__(f"The body may have at most {limit} bytes.", limit=limit)


class UnsupportedMediaType(LoyaltyError):
    """The body is not JSON."""

    status = 415
    code = "UNSUPPORTED_MEDIA_TYPE"
    title = "Unsupported media type"

    def __init__(self) -> None:
        super().__init__("Send the body as application/json.")


class RateLimited(LoyaltyError):
    """The client has sent more than it may in this minute."""

    status = 429
    code = "RATE_LIMITED"
    title = "Too many requests"

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"Try again in {retry_after} s.", retry_after=retry_after)


class Unavailable(LoyaltyError):
    """Laurel cannot do it just now; the same request may be sent again."""

    status = 503
    code = "UNAVAILABLE"
    title = "Not available now"

    def __init__(self) -> None:
        super().__init__("Laurel is busy or restarting. Send the same request again.")


class InternalError(LoyaltyError):
    """A fault of Laurel's own."""

    status = 500
    code = "INTERNAL_ERROR"
    title = "Something went wrong here"

    def __init__(self) -> None:
        super().__init__("The fault is ours and was logged under the request id.")


def refusals(kind: type[LoyaltyError] = LoyaltyError) -> Iterator[type[LoyaltyError]]:
    """Yield every refusal that the modules loaded so far define."""
    for each in kind.__subclasses__():
        yield each
        yield from refusals(each)
