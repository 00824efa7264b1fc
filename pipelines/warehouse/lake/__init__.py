"""The lake: the warehouse as a DuckLake, its catalog in PostgreSQL and its tables as Parquet in a bucket or a folder.

In: a `Lake` of the settings. Out: an open connection whose current database is the lake, a lock on its books, a lake
that is new. Stays out: what is done with an open warehouse, which is the same SQL in a file and in a lake. Imported
only where the settings name a lake, and then by the function that needs it: its extensions and psycopg are an extra.
"""
