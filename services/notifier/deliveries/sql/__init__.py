"""The SQL of deliveries: their queue, their history, the gates of endpoints, and selections for a replay."""
