"""The read model in Redis: what clients are shown, fresh within tens of milliseconds."""
