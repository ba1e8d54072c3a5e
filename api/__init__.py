"""The thin ingest: HTTP in, the stream's decisions out, and pushes to clients."""
