"""What a domain is written against: deciders, state, outputs, errors."""
