"""Real servers without Docker, and everything that brings the system onto machines."""
