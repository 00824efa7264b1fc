"""A stand-in broker on real prices: for trying daybook without an account."""
