"""The vocabulary: every topic, every message, and how a message becomes bytes."""
