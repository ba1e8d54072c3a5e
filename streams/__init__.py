"""The decisions: pure domains, the kernel they are written against, and the engine that runs them."""
