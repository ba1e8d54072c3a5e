"""What a domain is written against: deciders, state, outputs, errors. No I/O, no clock, no engine."""
