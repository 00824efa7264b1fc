"""pnl.*: daily P&L, every version of it."""
