"""The outcomes of a message that are not facts.

Applied and refused messages yield facts. Invalid and retryable ones raise ``InvalidMessage`` and
``Retryable``. There is no fifth outcome: any other exception stops the worker before anything is
committed.
"""

from __future__ import annotations

from schemas.errors import InvalidMessage, Retryable

__all__ = ["InvalidMessage", "Retryable", "StageDefect"]


class StageDefect(Exception):
    """The engine found that a promise of the design is broken: the worker must stop."""
