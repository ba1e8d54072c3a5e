"""Runs stages: the fold, its store and checkpoints, and the hosts. No topic of a domain is named here."""
