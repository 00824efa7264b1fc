"""The warehouse files: opened, locked, written, published."""
