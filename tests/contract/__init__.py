"""What we promise to others: documents, compatibility of messages, pacts."""
