"""Push: what happens to an order reaches whoever may see it, once and in order."""
