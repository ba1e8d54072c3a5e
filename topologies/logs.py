"""How the processes of the pipeline log: JSON lines on standard output."""

from __future__ import annotations

import logging
import sys

import structlog


def configure_logging() -> None:
    """Log JSON lines to standard output; libraries speak up from warnings on."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stdout)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        # A line and its end in one write: other writers of the same file never come between.
        logger_factory=structlog.WriteLoggerFactory(sys.stdout),
    )
