"""The explorer: the published books in a browser. The page is app.py, what it asks of the books is questions.py."""
