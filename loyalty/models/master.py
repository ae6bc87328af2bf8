"""Master data: what the programme keeps of the world, in entities of its own."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from loyalty.models.codes import CODE, SLUG
from loyalty.models.lookups import texts_by_language


class MasterEntity(models.Model):
    """A kind of master data that the programme defines, such as product, category or city."""

    code = models.CharField(max_length=64, unique=True, validators=[SLUG])
    name = models.CharField(max_length=200)
    schema = models.JSONField(default=dict, blank=True, help_text="Typed attributes, by name.")
    parent_entity = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="Where the parents of its records stand, if not among themselves.",
    )
    version = models.BigIntegerField(default=1, db_default=1, editable=False)

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
    translations = models.JSONField(default=dict, blank=True, validators=[texts_by_language])
    valid_from = models.DateTimeField(null=True, blank=True)
    valid_to = models.DateTimeField(null=True, blank=True)
    retired = models.BooleanField(default=False)
    retired_at = models.DateTimeField(null=True, blank=True, editable=False)
    version = models.BigIntegerField(default=1, db_default=1, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["entity", "code"], name="loyalty_master_code")
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.name}"
