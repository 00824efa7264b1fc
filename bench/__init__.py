"""Measurements that anyone can repeat: `make bench`. The product imports nothing of it."""
