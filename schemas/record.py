"""The one base of every message and of every state record.

A record is an immutable value whose Avro schema follows from its annotations:

==============================  =======================================
annotation                      Avro type
==============================  =======================================
``str``                         ``string``
``int``                         ``long``
``bool``                        ``boolean``
``bytes``                       ``bytes``
a ``StrEnum``                   ``string`` (open for new members)
a ``Record``                    the nested ``record``
``tuple[T, ...]``               ``array`` of T
``T | None``                    ``["null", T]``
==============================  =======================================

A field's default becomes the Avro default, so a field that is added with a default keeps the
schema backward compatible.
"""

from __future__ import annotations

import msgspec


class Record(msgspec.Struct, frozen=True, gc=False):
    """An immutable message, fact or state record.

    ``gc=False``: records hold only scalars, other records and tuples of them, so they cannot form a
    cycle; the collector then never walks the millions of records of live state.
    """


def full_name(kind: type[Record]) -> str:
    """Return the Avro full name, e.g. ``orderstream.order.OrderPlaced`` for ``schemas.order``."""
    module = kind.__module__.removeprefix("schemas.").removeprefix("streams.")
    return f"orderstream.{module}.{kind.__name__}"
