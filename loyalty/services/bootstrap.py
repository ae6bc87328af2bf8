"""What must be there before anything runs. Safe to repeat."""

from fnmatch import fnmatchcase

from django.conf import settings
from django.contrib.auth.models import Group, Permission

from loyalty.models import IdentityProvider, MasterEntity, Program

# Patterns of `app.permission`. Nobody but a superuser administers staff: who may change users can
# make a superuser of anyone.
GROUPS = {
    "Programme manager": [
        "promotions.*",
        "vouchers.*",
        "members.view_*",
        "members.*_tier",
        "members.*_stagepermission",
        "ledger.view_*",
        "ledger.*_pointtype",
        "ledger.*_pointvalue",
        "partners.view_*",
        "loyalty.*_program",
        "loyalty.*_identityprovider",
        "loyalty.*_master",
        "loyalty.*_masterentity",
        "loyalty.view_job",
        "loyalty.change_job",
        "loyalty.view_outboxevent",
    ],
    "Helpdesk": [
        "members.view_*",
        "members.change_member",
        "members.change_card",
        "members.*_alias",
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
        "members.view_member",
        "partners.view_partner",
        "partners.view_outlet",
        "promotions.view_*",
        "loyalty.view_job",
    ],
    "Partner manager": [
        "partners.view_*",
        "partners.*_outlet",
        "partners.add_partner",
        "partners.change_partner",
        "partners.*_apiclient",
        "ledger.view_*",
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
    providers = (("email", "E-mail", "EMAIL"), ("phone", "Phone", "PHONE"), ("app", "App", "APP"))
    for code, name, kind in providers:
        IdentityProvider.objects.get_or_create(code=code, defaults={"name": name, "kind": kind})
    for code, name in (("product", "Product"), ("category", "Category")):
        MasterEntity.objects.get_or_create(code=code, defaults={"name": name})
    install_groups()


def install_groups() -> None:
    """Make the staff groups; their permissions are set once, then they are the programme's own."""
    for name, wanted in GROUPS.items():
        group, new = Group.objects.get_or_create(name=name)
        if not new:
            continue
        permissions = Permission.objects.select_related("content_type")
        group.permissions.set(each for each in permissions if _is_among(each, wanted))


def _is_among(permission: Permission, patterns: list[str]) -> bool:
    name = f"{permission.content_type.app_label}.{permission.codename}"
    return any(fnmatchcase(name, pattern) for pattern in patterns)
