from ledger.management.sweep import SweepCommand


class Command(SweepCommand):
    help = "Expire and release what is due, in order, with a progress bar. Safe to repeat."
    counted = "expired"
