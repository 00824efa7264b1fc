"""A stand-in broker on real prices: for trying daybook without an account.

In: a number of days and a seed. Out: the broker's endpoints over HTTP on loopback, and what its accounts really made.
Stays out: the reading client and the warehouse; it knows only what a broker knows.
"""
