"""quality.*: checks, gaps, reconciliation: how far a day can be trusted."""
