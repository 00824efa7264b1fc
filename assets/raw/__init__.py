"""raw: what the broker said."""
