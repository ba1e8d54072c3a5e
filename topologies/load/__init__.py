"""The load generator: shoppers, payers and a stopwatch; a library for demo, bench and chaos.

Two ways in. ``intents`` writes what any producer may write and lets the simulated gateway pay;
``closed_loop`` writes admitted orders into the inbox, as the HTTP endpoint does, and plays the
gateway itself, so that nothing but the stages is measured.
"""
