"""What is done to prove the books: recompute them, compare them with payments, publish what is found."""
