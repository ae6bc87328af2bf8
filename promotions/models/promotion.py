"""Promotions, their immutable versions, and the evaluations that posted points."""

from django.db import models

from loyalty.models import CODE
from loyalty.models.codes import duration
from loyalty.models.lookups import texts_by_language


class Promotion(models.Model):
    """A named way to earn. What it does is held by its versions."""

    class Status(models.TextChoices):
        DRAFT = "DRAFT", "Draft"
        LIVE = "LIVE", "Live"
        PAUSED = "PAUSED", "Paused"
        ENDED = "ENDED", "Ended"

    code = models.CharField(max_length=64, unique=True, validators=[CODE])
    name = models.CharField(max_length=200)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.DRAFT)

    def __str__(self) -> str:
        return self.code


class PromotionStatus(models.Model):
    """Since when a promotion had a status, and why: a sale sees the one of its own time."""

    promotion = models.ForeignKey(Promotion, on_delete=models.CASCADE, related_name="statuses")
    status = models.CharField(max_length=10, choices=Promotion.Status.choices)
    since = models.DateTimeField()
    reason = models.CharField(max_length=4000, blank=True)

    class Meta:
        verbose_name_plural = "promotion statuses"
        indexes = [models.Index(fields=["promotion", "since"], name="promotionstatus_since")]

    def __str__(self) -> str:
        return f"{self.promotion_id} {self.status} since {self.since}"


class PromotionVersion(models.Model):
    """What a promotion does from an instant on. Never changed: an edit makes the next version.

    Lots carry its id as a plain number, so that every point leads to the rule that gave it.
    """

    promotion = models.ForeignKey(Promotion, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    definition = models.JSONField()
    digest = models.BinaryField(max_length=32)
    effective_from = models.DateTimeField()
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["promotion", "number"], name="promotions_version_number"
            )
        ]

    def __str__(self) -> str:
        return f"{self.promotion} v{self.number}"


class PromotionApproval(models.Model):
    """What somebody wants to put live, until a second person has judged it.

    A change of a promotion that is live waits here with its `definition`, which becomes a version
    when it is approved; else `version` is there already and its promotion is not live.
    """

    class State(models.TextChoices):
        WAITING = "WAITING", "Waiting"
        APPROVED = "APPROVED", "Approved"
        REJECTED = "REJECTED", "Rejected"
        SUPERSEDED = "SUPERSEDED", "Superseded by a later change"

    promotion = models.ForeignKey(Promotion, on_delete=models.CASCADE, related_name="approvals")
    version = models.ForeignKey(
        PromotionVersion, on_delete=models.CASCADE, null=True, related_name="+"
    )
    definition = models.JSONField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    asked_at = models.DateTimeField()
    asked_by = models.CharField(max_length=200)
    asked_reason = models.CharField(max_length=4000, blank=True)
    decided_at = models.DateTimeField(null=True)
    decided_by = models.CharField(max_length=200, blank=True)
    decided_reason = models.CharField(max_length=4000, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["promotion"],
                condition=models.Q(state="WAITING"),
                name="promotions_approval_waiting",
            )
        ]

    def __str__(self) -> str:
        return f"{self.promotion} {self.state}, asked by {self.asked_by}"


class Evaluation(models.Model):
    """Why a transaction gave what it gave: the facts it saw, and the awards by line."""

    transaction_id = models.UUIDField(primary_key=True)
    member_id = models.BigIntegerField()
    inputs = models.JSONField(null=True, help_text="Emptied by retention or erasure.")
    result = models.JSONField()
    engine_version = models.PositiveSmallIntegerField()

    def __str__(self) -> str:
        return f"evaluation of {self.transaction_id}"


class EventType(models.Model):
    """A kind of event that promotions may reward: a survey, a review, a check-in.

    An event of a member that was rewarded keeps others of its type from being so for the
    `cooldown`, and in the same period of `once_per`.
    """

    class OncePer(models.TextChoices):
        DAY = "DAY", "Day"
        WEEK = "WEEK", "Week"
        MONTH = "MONTH", "Month"
        YEAR = "YEAR", "Year"
        LIFE = "LIFE", "Life"

    code = models.CharField(max_length=64, unique=True, validators=[CODE])
    name = models.CharField(max_length=200)
    description = models.CharField(max_length=4000, blank=True)
    translations = models.JSONField(
        default=dict,
        blank=True,
        validators=[texts_by_language],
        help_text='Name and description by language: {"de": {"name": "…"}}.',
    )
    schema = models.JSONField(
        default=dict,
        blank=True,
        help_text='The attributes of its events: {"score": {"type": "INTEGER", "required": true}}.',
    )
    partners = models.ManyToManyField(
        "partners.Partner",
        blank=True,
        related_name="+",
        help_text="Who may send it; nobody named: every partner. The programme's own clients may.",
    )
    cooldown = models.CharField(
        max_length=64,
        blank=True,
        validators=[duration],
        help_text="How long after a rewarded event no other is, such as P30D or PT12H.",
    )
    once_per = models.CharField(
        max_length=5,
        choices=OncePer.choices,
        blank=True,
        help_text="At most one is rewarded in the member's local day, week, … or life.",
    )
    backdated = models.BooleanField(
        default=True,
        help_text="Taken as late as purchases are; if not, only on the day it happened.",
    )
    two_sided = models.BooleanField(
        default=False,
        help_text="An event may name a referrer; conditions ask event.role, which is REFERRED"
        " for the member and REFERRER for the other.",
    )
    own = models.BooleanField(default=False, editable=False, help_text="Laurel alone sends it.")
    active = models.BooleanField(default=True)

    def __str__(self) -> str:
        return self.code


class MemberEvent(models.Model):
    """An event of a member that was rewarded: what cooldowns count from.

    `event` is the code of its type, or BIRTHDAY; it is taken away when its posting is reversed.
    """

    transaction_id = models.UUIDField(primary_key=True)
    member_id = models.BigIntegerField()
    event = models.CharField(max_length=64)
    occurred_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["member_id", "event", "occurred_at"], name="memberevent_latest")
        ]

    def __str__(self) -> str:
        return f"{self.event} of member {self.member_id} at {self.occurred_at}"


class LimitCounter(models.Model):
    """How much of a promotion one member had in a period: plain rows under the book's lock.

    `start` is the first local day of the period. The measure REMAINDER is the money below a whole
    step that is carried over to the member's next purchase; a return may leave it below zero.
    """

    member_id = models.BigIntegerField()
    promotion = models.CharField(max_length=64)
    period = models.CharField(max_length=5)
    start = models.DateField()
    measure = models.CharField(max_length=9)
    amount = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["member_id", "period", "start", "promotion", "measure"],
                name="promotions_limitcounter_key",
            )
        ]

    def __str__(self) -> str:
        return f"{self.promotion} {self.measure} of member {self.member_id} from {self.start}"


class BudgetSlot(models.Model):
    """A sixteenth of what a budget, or a limit of the whole programme, has left.

    Tills draw on different slots, so they do not wait for each other. `at_most` and `number` say
    of which version's limit the slots were made.
    """

    promotion = models.CharField(max_length=64)
    per = models.CharField(max_length=7)
    period = models.CharField(max_length=5)
    start = models.DateField()
    measure = models.CharField(max_length=6)
    slot = models.SmallIntegerField()
    rest = models.BigIntegerField()
    at_most = models.BigIntegerField()
    number = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["promotion", "per", "period", "start", "measure", "slot"],
                name="promotions_budgetslot_key",
            )
        ]

    def __str__(self) -> str:
        return f"{self.promotion} {self.measure} slot {self.slot}: {self.rest}"
