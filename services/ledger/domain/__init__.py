"""What is posted and what is refused: pure functions over the books of one batch."""
