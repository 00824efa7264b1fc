"""Trading: the four requests that change something at the broker.

In: what somebody asked for, confirmed. Out: one request, sent once, in the journal before and after, and landed
in raw.*.
Stays out: deciding what to trade. Only send.py and http.py can send, and nothing that reads imports them.
"""
