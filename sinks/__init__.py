"""One writer per store: facts in, rows out, written so that a repeat changes nothing."""
