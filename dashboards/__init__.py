"""What people look at: the live page's files. Data only; nothing is imported from here."""
