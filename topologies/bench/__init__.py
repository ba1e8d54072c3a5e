"""What `orderstream bench core` measures, each part on servers and workers of its own."""
