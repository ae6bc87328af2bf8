"""The evaluation engine: frozen values in, an evaluation out.

Pure: no Django, no database, no clock. Earn, Basket Point Evaluation, return and replay call the
same `evaluate`. `docs/evaluation.md` states the algorithm with worked tables.
"""

# Counts changes of what the same inputs give. An evaluation keeps the number it was made with.
ENGINE_VERSION = 3
