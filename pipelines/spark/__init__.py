"""Apache Spark as the engine of a build: it computes the selects of the books, where there is too much for one process.

In: the catalogue's own .sql files, and the rows that they read, which DuckDB writes as Parquet. Out: each table as
Parquet, which the same build puts into the warehouse, in its one transaction. Stays out: what is written, and when.
pyspark is imported where a session is started, and nowhere else: nobody else has it.
"""
