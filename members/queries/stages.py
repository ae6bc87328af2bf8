"""What the programme lets members of each stage do."""

from collections.abc import Mapping

from members import stages
from members.models import StagePermission
from members.stages import Permissions


def permissions() -> Mapping[str, Permissions]:
    """Return what each stage allows. One query.

    Postings have it for nothing, in the configuration that each process keeps for an epoch.
    """
    changed = {row.stage: row.permissions for row in StagePermission.objects.all()}
    return {**stages.DEFAULTS, **changed}


def may_sign_in(stage: str) -> bool:
    """Return whether members of this stage may open a session; of most stages without a query."""
    if stage not in stages.CHANGEABLE:
        return stages.may_sign_in(stage)
    return stages.may_sign_in(stage, permissions())


def contact_of(stage: str) -> str:
    """Return how members of this stage may be contacted: NO, SERVICE, or CONSENT."""
    return permissions()[stage].contact
