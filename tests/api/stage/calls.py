"""How the tests ask for a stage."""

from members.models import Member


def ask(house, stage, reason="Asked for.", **body):
    return house.post("/members/stage/", {"stage": stage, "reason": reason, **body})


def one(house, member, stage, **body):
    return ask(house, stage, member={"number": member.number}, **body)


def stage_of(member):
    return Member.objects.get(pk=member.pk).stage
