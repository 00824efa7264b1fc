"""What exists. Folder = schema, file = table."""
