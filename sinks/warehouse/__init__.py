"""The analytical store: one definition of each table, for ClickHouse and for StarRocks."""
