"""The outcomes of a message that are not facts, typed by what must happen next.

Applied and refused messages yield facts. Of the other outcomes there are two, and no fifth: any
exception that is not one of these stops the worker before anything is committed.
"""

from __future__ import annotations


class InvalidMessage(Exception):
    """The record cannot be understood, now or later: it goes to the dead-letter topic.

    ``code`` is a stable upper-case name for machines, ``detail`` one sentence for people.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


class Retryable(Exception):
    """Something outside is away; the same record may succeed later: pause and try again."""


class StageDefect(Exception):
    """The engine found that a promise of the design is broken: the worker must stop."""
