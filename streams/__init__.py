"""The decisions: pure domains, the kernel they stand on, and the engine that runs them."""
