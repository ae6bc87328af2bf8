"""What must be there before anything runs. Safe to repeat."""

from fnmatch import fnmatchcase
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group, Permission
from django.db.models import Model

from loyalty.models import (
    CommunicationCategory,
    CommunicationChannel,
    Currency,
    IdentityProvider,
    Language,
    MasterEntity,
    Program,
)

# Patterns of `app.permission`. Nobody but a superuser administers staff: who may change users can
# make a superuser of anyone.
GROUPS = {
    "Programme manager": [
        "promotions.*",
        "vouchers.*",
        "members.view_*",
        "members.*_tier",
        "members.add_ladderversion",
        "members.*_segment",
        "members.*_stagepermission",
        "members.*_cardrange",
        "ledger.view_*",
        "ledger.*_pointtype",
        "ledger.*_pointvalue",
        "ledger.change_memberpoints",
        "partners.view_*",
        "loyalty.*_program",
        "loyalty.*_identityprovider",
        "loyalty.*_language",
        "loyalty.*_currency",
        "loyalty.*_currencyrate",
        "loyalty.*_communicationcategory",
        "loyalty.*_communicationchannel",
        "loyalty.*_master",
        "loyalty.*_masterentity",
        "loyalty.view_job",
        "loyalty.change_job",
        "loyalty.view_outboxevent",
        "loyalty.view_webhook*",
        "loyalty.change_webhook*",
    ],
    "Helpdesk": [
        "members.view_*",
        "members.add_member",
        "members.change_member",
        "members.unlock_*",
        "members.reset_pin",
        "members.end_sessions",
        "members.change_duplicateflag",
        "members.change_card",
        "members.*_alias",
        "members.delete_releasedalias",
        "ledger.view_*",
        "vouchers.view_*",
        "vouchers.change_subscription",
        "vouchers.change_voucher",
        "promotions.view_*",
        "partners.view_partner",
        "partners.view_outlet",
    ],
    "Finance": [
        "ledger.view_*",
        "ledger.change_journalaccount",
        "ledger.settle_statement",
        "members.view_member",
        "partners.view_partner",
        "partners.view_outlet",
        "partners.view_partnerrate",
        "partners.view_exchange",
        "promotions.view_*",
        "loyalty.view_job",
    ],
    "Partner manager": [
        "partners.view_*",
        "partners.*_outlet",
        "partners.add_partner",
        "partners.change_partner",
        "partners.*_apiclient",
        "partners.*_contact",
        "partners.*_partnerrate",
        "partners.*_exchangeterms",
        "partners.change_exchange",
        "ledger.view_*",
        "ledger.settle_statement",
        "promotions.view_*",
    ],
    "Auditor": [
        "loyalty.view_*",
        "partners.view_*",
        "members.view_*",
        "ledger.view_*",
        "vouchers.view_*",
        "promotions.view_*",
        "auth.view_group",
        "admin.view_logentry",
    ],
}

# ISO 4217: the currencies whose minor unit is not a hundredth.
NO_DECIMALS = frozenset(
    [
        "BIF",
        "CLP",
        "DJF",
        "GNF",
        "ISK",
        "JPY",
        "KMF",
        "KRW",
        "PYG",
        "RWF",
        "UGX",
        "UYI",
        "VND",
        "VUV",
        "XAF",
        "XOF",
        "XPF",
    ]
)
THREE_DECIMALS = frozenset(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"])

# Code, name, schema, and where the parents stand: a product below its category.
ENTITIES: tuple[tuple[str, str, dict[str, Any], str | None], ...] = (
    ("category", "Category", {}, None),
    ("product", "Product", {"brand": {"type": "TEXT"}, "size": {"type": "TEXT"}}, "category"),
)
PROVIDERS: tuple[dict[str, Any], ...] = (
    {"code": "email", "name": "E-mail", "kind": "EMAIL", "verified": "CODE"},
    {"code": "phone", "name": "Phone", "kind": "PHONE", "verified": "CODE"},
    {"code": "app", "name": "App", "kind": "APP"},
)
CATEGORIES: tuple[dict[str, Any], ...] = (
    {"code": "marketing", "name": "Offers and news"},
    {
        "code": "service",
        "name": "The membership itself",
        "consent_default": True,
        "legal_basis": "CONTRACT",
    },
    {"code": "partner-sharing", "name": "Sharing the profile with partners", "needs_proof": True},
)
CHANNELS: tuple[dict[str, Any], ...] = (
    {"code": "email", "name": "E-mail", "needs_verified_contact": True},
    {"code": "sms", "name": "SMS", "needs_verified_contact": True},
    {"code": "push", "name": "Push"},
    {"code": "post", "name": "Post"},
    {"code": "messenger", "name": "Messenger"},
)


def install() -> None:
    """Make the programme's row, its identity providers, its first masters and the staff groups."""
    Program.objects.get_or_create(
        pk=1,
        defaults={
            "name": "Laurel",
            "time_zone": settings.LAUREL_TIME_ZONE,
            "currency": settings.LAUREL_CURRENCY,
        },
    )
    # Until points were posted, the setting may still be put right.
    Program.objects.filter(time_zone_fixed=False).update(time_zone=settings.LAUREL_TIME_ZONE)
    _install_lookups()
    for code, name, schema, parents in ENTITIES:
        above = MasterEntity.objects.get(code=parents) if parents else None
        defaults = {"name": name, "schema": schema, "parent_entity": above}
        MasterEntity.objects.get_or_create(code=code, defaults=defaults)
    install_groups()


def _install_lookups() -> None:
    """Make the first rows of the look-up lists; what is there is the programme's own."""
    if not Language.objects.exists():
        Language.objects.create(code="en", name="English", is_default=True)
    currency = settings.LAUREL_CURRENCY
    Currency.objects.get_or_create(
        code=currency,
        defaults={
            "name": currency,
            "decimals": 0 if currency in NO_DECIMALS else 3 if currency in THREE_DECIMALS else 2,
        },
    )
    lists: tuple[tuple[type[Model], tuple[dict[str, Any], ...]], ...] = (
        (IdentityProvider, PROVIDERS),
        (CommunicationCategory, CATEGORIES),
        (CommunicationChannel, CHANNELS),
    )
    for model, rows in lists:
        for row in rows:
            model._default_manager.get_or_create(code=row["code"], defaults=row)


def install_groups() -> None:
    """Make the staff groups; their permissions are set once, then they are the programme's own."""
    known = set(Group.objects.values_list("name", flat=True))
    missing = [name for name in GROUPS if name not in known]
    permissions = list(Permission.objects.select_related("content_type")) if missing else []
    for name in missing:
        group = Group.objects.create(name=name)
        group.permissions.set(each for each in permissions if _is_among(each, GROUPS[name]))


def _is_among(permission: Permission, patterns: list[str]) -> bool:
    name = f"{permission.content_type.app_label}.{permission.codename}"
    return any(fnmatchcase(name, pattern) for pattern in patterns)
