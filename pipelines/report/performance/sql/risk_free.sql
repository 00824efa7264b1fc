-- The yearly risk-free rate, as a fraction.
select yearly_rate from pnl.risk_free
