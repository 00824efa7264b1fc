-- The yearly risk-free rate that pnl.performance compares returns with, as a fraction: DAYBOOK_RISK_FREE of the last build.
select try_cast($risk_free as decimal(18, 10)) as yearly_rate
