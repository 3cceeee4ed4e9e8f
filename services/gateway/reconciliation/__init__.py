"""Whether processors, our payments, the books and the bank say the same."""
