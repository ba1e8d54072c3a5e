"""What can be wrong with a record, typed by what must happen next."""

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
