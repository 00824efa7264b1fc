"""What tests share: books, brokers that answer over real HTTP, an oracle in plain Python, ways to kill a process."""
