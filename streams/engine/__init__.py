"""Runs stages: fold, store, checkpoints and hosts. No topic of a domain is named here."""
