"""Chaos: faults drawn from a seed, under load, each with the proof that it bit.

Read `schedule` (which faults there are and when they strike), `strikes` (what each does and what it
counts), `proof` (which counts prove it), `rounds` (one round from load to verdict).
"""
