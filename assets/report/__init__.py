"""The end-of-day report: questions in .sql, answers as sections, and the forms in which people read them.

known.py gives the books as known at an instant; content.py asks them; page, paper, workbook and extract write what was
answered; write.py puts it on the disk. Only assets.py knows Dagster.
"""
