"""Admission: what an untrusted intent must be before a stage sees it. Pure; HTTP asks here too."""

from streams.admission.admit import admit
from streams.admission.identity import derive_order_no, derive_trace_id, fingerprint_of
from streams.admission.problems import InvalidIntent, Problem, ProblemCode

__all__ = [
    "InvalidIntent",
    "Problem",
    "ProblemCode",
    "admit",
    "derive_order_no",
    "derive_trace_id",
    "fingerprint_of",
]
