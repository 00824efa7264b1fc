"""Measurements that anyone can repeat: `make bench`. Nothing here is imported by the product."""
