from ledger.management.sweep import SweepCommand


class Command(SweepCommand):
    help = "Release and expire what is due, in order, with a progress bar. Safe to repeat."
    counted = "released"
