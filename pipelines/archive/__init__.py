"""What the broker answered, exactly as it came.

In: answers as received, before anything is made of them. Out: sealed files, proven byte by byte, and their pages again.
Stays out: what the pages mean, and whether their rows are in the warehouse.
"""
