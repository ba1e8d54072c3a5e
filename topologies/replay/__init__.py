"""What the log makes provable: replay a stage over its recorded inbox, and look at any moment."""
