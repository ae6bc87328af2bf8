"""The programme itself: staff, settings, masters, jobs, and what is to be announced."""

from datetime import timedelta

from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q

CODE = RegexValidator(r"^[A-Z0-9][A-Z0-9._-]{0,63}$", "Capitals, digits, dot, dash, underscore.")
SLUG = RegexValidator(r"^[a-z][a-z0-9_-]{0,63}$", "Lower case letters, digits, dash, underscore.")


class User(AbstractUser):
    """A person of the staff. Members are never users."""


class Program(models.Model):
    """The settings of the one programme that this deployment runs; a single row."""

    class DuplicatePolicy(models.TextChoices):
        REFUSE = "REFUSE", "Refuse the enrolment"
        RETURN = "RETURN", "Return the member who is there"
        FLAG = "FLAG", "Enrol, and flag both for a merge"

    class ClosingBalance(models.TextChoices):
        FORFEIT = "FORFEIT", "Points are forfeited"
        KEEP = "KEEP", "Points stay until they expire"

    name = models.CharField(max_length=200)
    time_zone = models.CharField(max_length=64, help_text="Local days are counted in it.")
    time_zone_fixed = models.BooleanField(default=False, help_text="Set by the first posting.")
    currency = models.CharField(max_length=3)
    language = models.CharField(max_length=16, default="en")
    epoch = models.BigIntegerField(
        default=1, help_text="Counts changes of what processes keep in memory."
    )
    accepted_lateness = models.DurationField(default=timedelta(days=30))
    future_tolerance = models.DurationField(default=timedelta(minutes=5))
    offline_window = models.DurationField(default=timedelta(days=7))
    offline_floor = models.DecimalField(max_digits=12, decimal_places=2, null=True, blank=True)
    claim_window = models.DurationField(default=timedelta(days=7))
    redemption_grace = models.DurationField(null=True, blank=True)
    duplicate_policy = models.CharField(
        max_length=8,
        choices=DuplicatePolicy.choices,
        default=DuplicatePolicy.REFUSE,
        help_text="When somebody enrols with a contact that a member has.",
    )
    minimum_age = models.PositiveSmallIntegerField(null=True, blank=True)
    phone_region = models.CharField(
        max_length=2, default="AT", help_text="Where phone numbers without a country code are from."
    )
    member_schema = models.JSONField(
        default=dict, blank=True, help_text="The programme's own attributes of members."
    )
    confirm_contact = models.BooleanField(
        default=False, help_text="New members stay PENDING until they confirm a contact."
    )
    several_cards = models.BooleanField(default=True, help_text="A member may hold several cards.")
    lost_card_grace = models.DurationField(
        default=timedelta(days=7), help_text="How long late sales on a lost card are accepted."
    )
    session_lives = models.DurationField(default=timedelta(minutes=30))
    refresh_lives = models.DurationField(default=timedelta(days=30))
    pin_digits = models.PositiveSmallIntegerField(
        default=4, validators=[MinValueValidator(4), MaxValueValidator(12)]
    )
    step_up_lives = models.DurationField(default=timedelta(minutes=5))
    password_steps_up = models.BooleanField(
        default=False, help_text="A password may stand in for the PIN."
    )
    pin_above = models.DecimalField(
        max_digits=12,
        decimal_places=2,
        null=True,
        blank=True,
        help_text="Redemptions worth more need a PIN, unless the member set another limit.",
    )
    pin_above_per_day = models.DecimalField(max_digits=12, decimal_places=2, null=True, blank=True)
    pin_above_at_most = models.DecimalField(
        max_digits=12,
        decimal_places=2,
        null=True,
        blank=True,
        help_text="The highest limit a member may set.",
    )
    closing_balance = models.CharField(
        max_length=8, choices=ClosingBalance.choices, default=ClosingBalance.FORFEIT
    )

    class Meta:
        verbose_name = "programme"
        constraints = [models.CheckConstraint(condition=Q(pk=1), name="loyalty_program_single")]

    def __str__(self) -> str:
        return self.name


class IdentityProvider(models.Model):
    """Who vouches for an alias: an e-mail address, a phone number, a social login, an app."""

    class Kind(models.TextChoices):
        EMAIL = "EMAIL", "E-mail"
        PHONE = "PHONE", "Phone"
        SOCIAL = "SOCIAL", "Social login"
        CARD = "CARD", "Card scheme"
        APP = "APP", "App"

    code = models.CharField(max_length=64, unique=True, validators=[SLUG])
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    pattern = models.CharField(max_length=200, blank=True, help_text="A regular expression.")
    max_per_member = models.PositiveSmallIntegerField(default=1)
    quarantine = models.DurationField(
        default=timedelta(days=90), help_text="How long a value that was given up is kept."
    )
    active = models.BooleanField(default=True)

    def __str__(self) -> str:
        return self.code


class MasterEntity(models.Model):
    """A kind of master data that the programme defines, such as product, category or city."""

    code = models.CharField(max_length=64, unique=True, validators=[SLUG])
    name = models.CharField(max_length=200)
    schema = models.JSONField(default=dict, blank=True)

    class Meta:
        verbose_name_plural = "master entities"

    def __str__(self) -> str:
        return self.code


class Master(models.Model):
    """One record of master data. `path` holds the codes of its ancestors, the root first."""

    entity = models.ForeignKey(MasterEntity, on_delete=models.PROTECT, related_name="masters")
    code = models.CharField(max_length=64, validators=[CODE])
    name = models.CharField(max_length=200)
    parent = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="children"
    )
    path = ArrayField(models.CharField(max_length=64), default=list, blank=True)
    attributes = models.JSONField(default=dict, blank=True)
    translations = models.JSONField(default=dict, blank=True)
    valid_from = models.DateTimeField(null=True, blank=True)
    valid_to = models.DateTimeField(null=True, blank=True)
    retired = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["entity", "code"], name="loyalty_master_code")
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.name}"


class OutboxEvent(models.Model):
    """Something that happened, committed with what caused it, to be told to subscribers.

    The body is made when it is delivered, from the object that `object_id` names.
    """

    id = models.BigAutoField(primary_key=True)
    type = models.CharField(max_length=64)
    member_id = models.BigIntegerField(null=True)
    version = models.BigIntegerField(null=True)
    partner_id = models.BigIntegerField(null=True)
    object_id = models.UUIDField(null=True)
    created_at = models.DateTimeField()
    payload = models.JSONField(null=True)

    def __str__(self) -> str:
        return f"{self.type} {self.object_id}"


class IdempotencyKey(models.Model):
    """A change that a client made under a key of its own, with the answer it was given."""

    client_id = models.CharField(max_length=200)
    route = models.CharField(max_length=200)
    key = models.CharField(max_length=200)
    digest = models.BinaryField(max_length=32)
    status = models.PositiveSmallIntegerField(null=True)
    answer = models.BinaryField(null=True)
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["client_id", "route", "key"], name="loyalty_idempotencykey_unique"
            )
        ]

    def __str__(self) -> str:
        return f"{self.route} {self.key}"


class Attempt(models.Model):
    """How often guessing at something failed lately; `subject` is a keyed hash of what."""

    kind = models.CharField(max_length=20)
    subject = models.BinaryField(max_length=32)
    failures = models.PositiveIntegerField(default=0)
    last_at = models.DateTimeField()
    locked_until = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["kind", "subject"], name="loyalty_attempt_subject")
        ]

    def __str__(self) -> str:
        return f"{self.kind}: {self.failures}"


class Job(models.Model):
    """Work that takes longer than a moment. The row is the truth, the queue only a hint."""

    class Status(models.TextChoices):
        PENDING = "PENDING"
        RUNNING = "RUNNING"
        DONE = "DONE"
        FAILED = "FAILED"
        CANCELLED = "CANCELLED"

    id = models.UUIDField(primary_key=True)
    kind = models.CharField(max_length=100, help_text="The name of its Celery task.")
    key = models.CharField(max_length=100, null=True, unique=True)  # noqa: DJ001 null: any number
    parameters = models.JSONField(default=dict)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.PENDING)
    position = models.JSONField(null=True, help_text="Where it goes on after a crash.")
    done = models.BigIntegerField(default=0)
    total = models.BigIntegerField(null=True)
    dry_run = models.BooleanField(default=False)
    result = models.JSONField(default=dict)
    problem = models.JSONField(null=True)
    scope = models.CharField(max_length=64, blank=True)
    partner_id = models.BigIntegerField(null=True)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    heartbeat_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["created_at"],
                condition=Q(status__in=["PENDING", "RUNNING"]),
                name="job_unfinished",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.status}"


class JobError(models.Model):
    """A line of a job's input that came to nothing, and why. Found again, it is not kept twice."""

    id = models.BigAutoField(primary_key=True)
    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="+", db_index=False)
    line = models.BigIntegerField(help_text="Counted from 1.")
    value = models.CharField(max_length=200, blank=True)
    code = models.CharField(max_length=64)
    reason = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["job", "line", "code"], name="loyalty_joberror_line")
        ]

    def __str__(self) -> str:
        return f"{self.line}: {self.code}"


class Upload(models.Model):
    """A file that was sent to be worked through by a job, kept under a random name for a while."""

    id = models.UUIDField(primary_key=True)
    name = models.CharField(max_length=200, help_text="As its sender calls it; never a path.")
    size = models.BigIntegerField()
    created_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.name
