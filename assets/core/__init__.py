"""core.*: one row per account, instrument and trading day."""
