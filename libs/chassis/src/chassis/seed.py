"""Where randomness comes from: one seed per process, logged, so that a failure can be repeated."""

import secrets
from random import Random

import structlog


def rng(seed: int | None, process: str) -> Random:
    """Build the process's generator and log its seed once.

    `process` must differ between processes that share a seed (name and replica), or they draw the same ids.
    """
    chosen = secrets.randbits(63) if seed is None else seed
    structlog.get_logger(__name__).info("random seed", seed=chosen, process=process)
    return Random(f"{chosen}/{process}")  # noqa: S311 - repeatable on purpose; secrets are drawn elsewhere
