"""What an item is and how it may move. No I/O: the database package carries the moves out."""
