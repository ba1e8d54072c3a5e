"""The ledger: the original tables in any store that speaks MySQL's protocol."""
