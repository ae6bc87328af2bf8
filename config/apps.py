import gc

from django.apps import AppConfig


class ConfigConfig(AppConfig):
    name = "config"
    verbose_name = "Laurel"

    def ready(self) -> None:
        from config import checks  # noqa: F401, PLC0415 registers the system checks

        let_the_collector_rest()


def let_the_collector_rest() -> None:
    """Let Python look for garbage in circles seldom, and not among what was loaded at the start.

    Requests and jobs make next to none, but each search went through all that the libraries hold:
    a quarter of the processor's time of a transaction file.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
