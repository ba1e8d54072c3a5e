"""The vocabulary: every topic, every message, and how a message becomes bytes."""

from schemas import native

native.enable()
